"""`tidings explain FILE`: who would be told of an event, how, and why not; nothing is kept or sent."""

import asyncio
import sys
from typing import IO, Any

import click
import msgspec

from tidings.kernel.platform import platform
from tidings.kernel.problems import Problem


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--tenant", help="Which tenant; the only one by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision record as JSON.")
def explain(file: IO[bytes], tenant: str | None, as_json: bool) -> None:
    """The plan for the event in FILE (- for standard input), with reasons; a CloudEvent is understood too."""
    with platform(quiet=True) as (url, _):
        from tidings.cli.tenant import chosen_tenant

        tenant_id = chosen_tenant(tenant).id
        try:
            record = asyncio.run(_preview(url, tenant_id, file.read()))
        except Problem as problem:
            click.echo(f"{problem.code}: {problem.detail}", err=True)
            sys.exit(1)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(record), indent=1).decode())
    else:
        say_record(record)


async def _preview(url: str, tenant_id: Any, body: bytes) -> dict[str, Any]:
    from tidings.events.receive import receive_one, type_of
    from tidings.kernel.clock import now
    from tidings.kernel.database import connect
    from tidings.pipeline import preview
    from tidings.planning.views import Views

    connection = await connect(url, name="explain")
    try:
        view = (await Views().current(connection, (tenant_id,)))[tenant_id]
        return preview(receive_one({"content-type": type_of(body)}, body, now=now(), source=""), view)
    finally:
        await connection.close()


def say_record(record: dict[str, Any]) -> None:
    """A decision record in a few lines."""
    for one in record["recipients"]:
        because = ", ".join(each["role"] + (f" of {each['of']}" if "of" in each else "") for each in one["because"])
        channels = ", ".join(send["channel"] for send in one["sends"]) or "inbox only"
        click.echo(f"{one['login']}: {channels}  because {because}")
        for skip in one["skips"]:
            click.echo(
                f"    not by {skip['channel']}: {skip['reason']}" if "channel" in skip else f"    {skip['reason']}"
            )
    for skip in record["skips"]:
        who = " ".join(skip[name] for name in ("role", "person") if name in skip)
        click.echo(f"not told: {who}: {skip['reason']}" if who else f"nobody is told: {skip['reason']}")
