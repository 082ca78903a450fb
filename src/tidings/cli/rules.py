"""`tidings rules`: a tenant's rules as a file that can be kept, compared and applied."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import click
import msgspec

from tidings.cli.tenant import of_tenant, speaking_for

if TYPE_CHECKING:
    from tidings.rules.change import Changed


class RuleInFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is missing stays as it is."""

    enabled: bool | None = None
    optional_roles: Annotated[list[str], msgspec.Meta(max_length=20)] | None = None
    additional_users: list[str] | None = None


class RulesFile(msgspec.Struct, forbid_unknown_fields=True):
    rules: dict[str, RuleInFile]


@click.group()
def rules() -> None:
    """Keep a tenant's rules in a file."""


@rules.command("export")
@of_tenant
def export_rules(tenant: str | None) -> None:
    """Write all rules to standard output, as JSON, always in the same order."""
    with speaking_for(tenant) as caller:
        from tidings.rules.change import content
        from tidings.rules.show import rules_of

        found = {rule.event_type: content(rule) for rule in rules_of(caller)}
    click.echo(json.dumps({"rules": dict(sorted(found.items()))}, ensure_ascii=False, indent=2))


@rules.command("apply")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@of_tenant
def apply_rules(file: TextIO, dry_run: bool, tenant: str | None) -> None:
    """Make the rules named in FILE (- for standard input) as they stand there: all of them, or none."""
    wanted = _read(file.read())
    with speaking_for(tenant) as caller:
        from tidings.rules.change import Wanted, change_rules

        asked = {code: Wanted(one.enabled, one.optional_roles, one.additional_users) for code, one in wanted.items()}
        changes = change_rules(caller, asked, dry_run=dry_run)
    for one in changes:
        click.echo("\n".join(_difference(one)))
    verb = "would change" if dry_run else "changed"
    click.echo(f"{len(changes)} of {len(wanted)} rules {verb}.")


def _read(text: str) -> Mapping[str, RuleInFile]:
    try:
        return msgspec.json.decode(text.encode(), type=RulesFile).rules
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise click.ClickException(f"The file is not what `tidings rules export` writes: {error}") from None


def _difference(one: "Changed") -> Iterator[str]:
    from tidings.rules.change import content

    before, after = content(one.before), content(one.after)
    yield f"{one.after.event_type}"
    for name, value in after.items():
        if value != before[name]:
            yield f"  {name}: {_said(before[name])} -> {_said(value)}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "nobody"
