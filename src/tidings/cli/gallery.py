"""`tidings gallery`: every message as its reader sees it, in the terminal or as files to look through."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tidings.channels.gallery.page import page
from tidings.channels.gallery.pieces import Piece, Shape, pieces, shapes
from tidings.channels.registry import CHANNELS
from tidings.messages.examples import example_types
from tidings.messages.wording import LANGUAGES

ENDINGS = {"text": "txt", "markdown": "md", "json": "json"}


@click.command()
@click.option("--channel", metavar="CHANNEL", help="Only this one: a channel, or a form of it such as sms-twilio.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Only this one.")
@click.option("--type", "event_type", metavar="EVENT_TYPE", help="Only this one, such as data_change.approved.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file for each message and index.html, a page of all, into this folder.",
)
def gallery(channel: str | None, language: str | None, event_type: str | None, folder: Path | None) -> None:
    """Every message, as its reader sees it on each channel; nothing is sent, and no database is needed."""
    chosen = list(pieces(_shapes(channel), _types(event_type), [language] if language else LANGUAGES))
    if folder is None:
        for piece in chosen:
            click.echo("\n".join(_lines(piece)))
        return
    count = _write(folder, chosen)
    click.echo(f"{count} files in {folder}; look at {folder / 'index.html'}")


def _shapes(channel: str | None) -> list[Shape]:
    every = shapes(CHANNELS)
    chosen = [one for one in every if channel in (None, one.name, one.channel.code)]
    if not chosen:
        known = ", ".join(one.name for one in every)
        raise click.BadParameter(f'there is no "{channel}" to show; there are: {known}', param_hint="--channel")
    return chosen


def _types(event_type: str | None) -> Sequence[str]:
    if event_type is None:
        return example_types()
    if event_type not in example_types():
        from tidings.catalog.features import built_in

        near = ", ".join(built_in().nearest(event_type)) or "GET /api/v1/catalog names them all"
        raise click.BadParameter(f'"{event_type}" is no event type; near it: {near}', param_hint="--type")
    return [event_type]


def _lines(piece: Piece) -> Iterator[str]:
    """Between rules, so that messages of many lines stay apart."""
    shown = piece.shown
    yield f"── {piece.event_type} · {piece.shape.label('en')} · {piece.language} ".ljust(100, "─")
    head = [("From", shown.sender), ("Title", shown.title)]
    yield from [f"{name}: {value}" for name, value in head if value]
    if any(value for _, value in head):
        yield ""
    yield shown.text.rstrip("\n")
    if shown.button:
        yield f"\n[ {shown.button} ] {shown.link}"
    if shown.note:
        yield f"\n({shown.note})"
    yield ""


def _write(folder: Path, chosen: Sequence[Piece]) -> int:
    contents: dict[str, bytes] = {}
    for piece in chosen:
        name = f"{piece.event_type}.{piece.shape.name}.{piece.language}"
        shown = piece.shown
        contents |= {f"{name}.{ending}": content for ending, content in shown.files.items()}
        if not shown.files:
            contents[f"{name}.{ENDINGS[shown.markup]}"] = f"{shown.text.rstrip()}\n".encode()
    contents["index.html"] = page(chosen).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return len(contents)
