"""`tidings sources`: how a tenant's sources read what is sent to them, as a file that can be kept, compared, tried and
applied. Their secrets and tokens are no part of it."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Annotated, Any, TextIO

import click
import msgspec

from tidings.cli.explain import say_record
from tidings.cli.tenant import of_tenant, speaking_for

if TYPE_CHECKING:
    from tidings.events.sources.apply import Applied
    from tidings.events.sources.set_up import ShownMapping
    from tidings.events.sources.suppose import Supposed

_Person = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]


class SourceInFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is missing stays as it is."""

    adapter: str | None = None
    rows: list[dict[str, Any]] | None = None
    options: dict[str, Any] | None = None
    ignored_people: Annotated[list[_Person], msgspec.Meta(max_length=100)] | None = None


class SourcesFile(msgspec.Struct, forbid_unknown_fields=True):
    sources: dict[str, SourceInFile]


@click.group()
def sources() -> None:
    """Keep how a tenant's sources are read in a file."""


@sources.command("export")
@click.argument("name", required=False)
@of_tenant
def export_sources(name: str | None, tenant: str | None) -> None:
    """Write the source NAME, or all that are set up, to standard output, as JSON, always in the same order."""
    with speaking_for(tenant) as caller:
        from tidings.accounts.issue import sources as all_sources
        from tidings.events.sources.set_up import mapping_of

        names = [name] if name else all_sources(caller).order_by("name").values_list("name", flat=True)
        found = {each: shown for each in names if (shown := mapping_of(caller, each)).version}
    written = {"sources": {each: _content(shown) for each, shown in sorted(found.items())}}
    click.echo(json.dumps(written, ensure_ascii=False, indent=2))


@sources.command("apply")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@of_tenant
def apply_file(file: TextIO, dry_run: bool, tenant: str | None) -> None:
    """Set the sources named in FILE (- for standard input) up as they stand there: all of them, or none. One that is
    missing is made; `tidings token create --source NAME` gives it a token."""
    wanted = _read(file.read())
    with speaking_for(tenant) as caller:
        from tidings.events.sources.apply import apply_sources

        changes = apply_sources(caller, {name: _supposed(one) for name, one in wanted.items()}, dry_run=dry_run)
    for one in changes:
        click.echo("\n".join(_difference(one)))
    verb = "would change" if dry_run else "changed"
    click.echo(f"{len(changes)} of {len(wanted)} sources {verb}.")


@sources.command("try")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.argument("sample", type=click.File("rb"))
@click.option("--source", help="Which one of FILE; where it has only one, that.")
@click.option(
    "-H", "--header", "headers", multiple=True, help="A header of the call, as curl takes it; repeat for several."
)
@click.option("--json", "as_json", is_flag=True, help="Print what POST /sources/{name}/try answers.")
@of_tenant
def try_sample(
    file: TextIO, sample: IO[bytes], source: str | None, headers: tuple[str, ...], as_json: bool, tenant: str | None
) -> None:
    """What the body in SAMPLE would become if FILE were applied, and who would be told; nothing is kept or sent. Ends
    with 1 where it would be parked."""
    name, wanted = _chosen(_read(file.read()), source)
    with speaking_for(tenant) as caller:
        from tidings.accounts.models import Source
        from tidings.events.sources.suppose import suppose, suppose_new
        from tidings.planning.views import view_now
        from tidings.try_payload import tried_json, try_payload

        known = Source.objects.for_tenant(caller.tenant_id).filter(name=name).exists()
        supposed = _supposed(wanted)
        adapter, set_up = suppose(caller, name, supposed) if known else suppose_new(caller, supposed)
        tried = try_payload(view_now(caller.tenant_id), name, adapter, set_up, _headers(headers), sample.read())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(tried_json(tried)), indent=1).decode())
    else:
        _say(tried_json(tried))
    sys.exit(1 if tried.parked else 0)


def _say(tried: Mapping[str, Any]) -> None:
    if parked := tried["parked"]:
        click.echo(f"parked, {parked['reason']}: {parked['detail']}")
    if tried["ignored"]:
        click.echo("Nobody wants to know: no event, and nothing is parked.")
    for number, event in enumerate(tried["events"]):
        click.echo(msgspec.json.format(msgspec.json.encode(event), indent=1).decode())
        if number < len(tried["plans"]):
            say_record(tried["plans"][number])


def _read(text: str) -> Mapping[str, SourceInFile]:
    try:
        return msgspec.json.decode(text.encode(), type=SourcesFile).sources
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise click.ClickException(f"The file is not what `tidings sources export` writes: {error}") from None


def _chosen(found: Mapping[str, SourceInFile], name: str | None) -> tuple[str, SourceInFile]:
    chosen = [each for each in found.items() if name in (None, each[0])]
    if len(chosen) != 1:
        raise click.UsageError(f"Say which one with --source; the file has: {', '.join(found) or 'none'}.")
    return chosen[0]


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    for each in given:
        name, colon, value = each.partition(":")
        if not colon:
            raise click.UsageError(f"{each!r} is no header; write it as 'X-Name: value'.")
        headers[name.strip().lower()] = value.strip()
    return headers


def _supposed(one: SourceInFile) -> "Supposed":
    from tidings.events.sources.suppose import Supposed

    return Supposed(one.adapter, one.rows, one.options, one.ignored_people)


def _content(shown: "ShownMapping") -> dict[str, Any]:
    """Without what is said by saying nothing."""
    unsaid = {field.name: field.default for field in shown.fields}
    return {
        "adapter": shown.adapter,
        "rows": shown.rows,
        "options": {name: value for name, value in shown.options.items() if value != unsaid[name]},
        "ignored_people": shown.ignored_people,
    }


def _difference(one: "Applied") -> Iterator[str]:
    yield f"{one.name} (new)" if one.new else one.name
    before: dict[str, Any] = (
        _content(one.before) if one.before else {"adapter": "", "rows": [], "options": {}, "ignored_people": []}
    )
    after = _content(one.after)
    if after["adapter"] != before["adapter"]:
        yield f"  adapter: {before['adapter'] or 'none'} -> {after['adapter']}"
    for name in dict.fromkeys([*before["options"], *after["options"]]):
        was, will = before["options"].get(name), after["options"].get(name)
        if was != will:
            yield f"  {name}: {_said(was)} -> {_said(will)}"
    for name in ("rows", "ignored_people"):
        yield from (f"  {name}: - {_said(each)}" for each in before[name] if each not in after[name])
        yield from (f"  {name}: + {_said(each)}" for each in after[name] if each not in before[name])
        if before[name] != after[name] and sorted(map(str, before[name])) == sorted(map(str, after[name])):
            yield f"  {name}: in another order"


def _said(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
