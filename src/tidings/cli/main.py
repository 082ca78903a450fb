"""`tidings ...`: each command is loaded when it is asked for."""

import sys
from importlib import import_module

import click

from tidings import __version__

# name: (module:attribute, what it does)
COMMANDS = {
    "check": ("tidings.cli.check:check", "See what is wrong, or prove with --ledger that nothing was lost."),
    "consume": ("tidings.cli.serve:consume", "Accept from message buses only."),
    "database": ("tidings.cli.database:database", "Back up, restore and upgrade the database."),
    "demo": ("tidings.cli.demo:demo", "A working day of a believable organisation, live."),
    "explain": ("tidings.cli.explain:explain", "Who would be told of an event, and why."),
    "gallery": ("tidings.cli.gallery:gallery", "Every message as its reader sees it."),
    "invite": ("tidings.cli.invite:invite", "A link by which somebody signs in to the console."),
    "migrate": ("tidings.cli.migrate:migrate", "Bring the database's schema up to date."),
    "rules": ("tidings.cli.rules:rules", "Keep a tenant's rules in a file."),
    "secrets": ("tidings.cli.secrets:secrets", "Change the key that seals what is secret."),
    "serve": ("tidings.cli.serve:serve", "Accept and deliver in one process."),
    "sources": ("tidings.cli.sources:sources", "Keep in a file how sources are read, and try it."),
    "tenant": ("tidings.cli.tenant:tenant", "Make tenants."),
    "token": ("tidings.cli.token:token", "Make tokens."),
    "web": ("tidings.cli.serve:web", "Accept only; workers deliver."),
    "worker": ("tidings.cli.serve:worker", "Deliver only."),
}


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tidings")
def commands() -> None:
    """Tells the right people, at once, when a ticket or a task flow changes status, and proves why."""


def main() -> None:
    """What an operator can mend is said in words, with a hint, and never as a traceback. A wrong setting ends with 2,
    as a wrong option does."""
    try:
        commands()
    except Exception as error:
        explained = _explained(error)
        if explained is None:
            raise
        message, hint, code = explained
        click.echo(f"tidings: {message}\n         {hint}", err=True)
        sys.exit(code)


def _explained(error: Exception) -> tuple[str, str, int] | None:
    import psycopg

    from tidings.channels.plug_in import PlugInUnusable
    from tidings.kernel.dump_database import DumpFailed
    from tidings.kernel.prepare_cluster import EmbeddedPostgresError
    from tidings.kernel.settings import SettingsError

    # Django raises errors of its own and keeps psycopg's as their cause.
    cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    said = str(cause).partition("\n")[0]
    match cause:
        case SettingsError():
            return cause.message, cause.hint, 2
        case EmbeddedPostgresError() | DumpFailed() | PlugInUnusable():
            return cause.message, cause.hint, 1
        case psycopg.OperationalError():
            return f"the database cannot be reached: {said}", "Check TIDINGS_DATABASE_URL.", 1
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return f"the database is not of this version: {said}", "Bring it up to date: tidings migrate", 1
        case psycopg.errors.InsufficientPrivilege():
            hint = "Give the user of TIDINGS_DATABASE_URL that right, or name another."
            return f"the database refuses: {said}", hint, 1
    return None


if __name__ == "__main__":
    main()
