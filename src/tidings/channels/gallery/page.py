"""All pieces on one page: self-contained and without a script, so that it can be opened, mailed or hosted as it is."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from string import Template

from tidings.channels.contract import Shown
from tidings.channels.gallery.pieces import Piece
from tidings.channels.words import CUT, web_link

TONES = ("action", "info", "success", "failure")
LANGUAGES = {"en": "English", "zh-hans": "中文"}
# Readers of pages know the language tags of browsers.
TAGS = {"zh-hans": "zh-Hans"}
_HIDES = {"language": "pieces", "tone": "event", "shape": "piece"}
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


class Html(str):
    """Markup of ours: already escaped."""

    __slots__ = ()


def page(pieces: Sequence[Piece]) -> str:
    """Of pieces in the order of `pieces`: those of an event type stand together."""
    names = {piece.shape.name: piece.shape.label("en") for piece in pieces}
    spoken = {piece.language: LANGUAGES.get(piece.language, piece.language) for piece in pieces}
    tones = {tone: tone.capitalize() for tone in TONES if any(piece.document.tone == tone for piece in pieces)}
    choices = [
        _choice("language", "Language", "Both languages", spoken),
        _choice("tone", "Class", "All classes", tones),
        _choice("shape", "Channel", "All channels", names),
    ]
    features = [(code, list(those)) for code, those in groupby(pieces, lambda piece: _feature(piece)[0])]
    return _fill(
        "page",
        hidden=Html("\n".join([*_hidden("language", spoken), *_hidden("tone", tones), *_hidden("shape", names)])),
        count=str(len({piece.event_type for piece in pieces})),
        links=Html("".join(f'<a href="#{code}">{html.escape(_feature(those[0])[1])}</a>' for code, those in features)),
        choices=Html("".join(choices)),
        width="" if len(names) > 1 else "one",
        features=Html("\n".join(_section(code, those) for code, those in features)),
    )


def _feature(piece: Piece) -> tuple[str, str]:
    occasion = piece.document.occasion
    return occasion.event_type.partition(".")[0], occasion.feature_labels["en"]


def _choice(group: str, legend: str, everything: str, values: dict[str, str]) -> str:
    if len(values) < 2:
        return ""
    options = [
        _fill("option", group=group, value=value, label=label, checked=Html("" if value != "all" else " checked"))
        for value, label in {"all": everything, **values}.items()
    ]
    return _fill("choice", legend=legend, options=Html("".join(options)))


def _hidden(group: str, values: Iterable[str]) -> Iterator[str]:
    """Without a script: what a chosen radio button leaves out."""
    for value in values:
        yield f"body:has(#{group}-{value}:checked) .{_HIDES[group]}:not(.{group}-{value}) {{ display: none; }}"
        if group == "tone":
            yield f"body:has(#tone-{value}:checked) .feature:not(:has(.tone-{value})) {{ display: none; }}"


def _section(code: str, pieces: Sequence[Piece]) -> str:
    events = [_event(list(those)) for _, those in groupby(pieces, lambda piece: piece.event_type)]
    return _fill("feature", code=code, label=_feature(pieces[0])[1], events=Html("\n".join(events)))


def _event(pieces: Sequence[Piece]) -> str:
    occasion = pieces[0].document.occasion
    groups = [
        _fill(
            "group",
            language=language,
            lang=TAGS.get(language, language),
            pieces=Html("\n".join(_piece(piece) for piece in those)),
        )
        for language, those in groupby(pieces, lambda piece: piece.language)
    ]
    labels = occasion.event_labels
    label = " · ".join(dict.fromkeys(labels.get(language, labels["en"]) for language in LANGUAGES))
    return _fill("event", code=occasion.event_type, tone=occasion.tone, label=label, groups=Html("\n".join(groups)))


def _piece(piece: Piece) -> str:
    shown, head = piece.shown, ""
    if shown.sender:
        head += _fill("sender", text=shown.sender)
    # What a card is called in a list of messages is said again in its text.
    if shown.title.rstrip(CUT) not in shown.text:
        head += _fill("title", text=shown.title)
    return _fill(
        "piece",
        shape=piece.shape.name,
        label=piece.shape.label(piece.language),
        note=shown.note,
        head=Html(head),
        body=Html(_body(shown)),
    )


def _body(shown: Shown) -> str:
    if "html" in shown.files:
        return _fill("mail", title=shown.title, page=shown.files["html"].decode(), text=shown.text.rstrip())
    if shown.markup == "json":
        return _fill("json", text=shown.text)
    if shown.markup == "text":
        return _fill("text", text=shown.text)
    button = _fill("button", link=web_link(shown.link), label=shown.button) if web_link(shown.link) else ""
    return markdown(shown.text) + button


def markdown(text: str) -> str:
    """The little that chat vendors understand: a heading, a quote, a list, bold and links. Everything else is text."""
    return "".join(_block(block) for block in text.split("\n\n") if block.strip())


def _block(block: str) -> str:
    if block.startswith("#"):
        return f"<h4>{_inline(block.lstrip('# '))}</h4>"
    if block.startswith("> "):
        return f"<blockquote>{_inline(block[2:])}</blockquote>"
    if block.startswith("- "):
        items = "".join(f"<li>{_inline(line.removeprefix('- '))}</li>" for line in block.split("\n"))
        return f"<ul>{items}</ul>"
    return "<hr>" if block == "---" else f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    """Escaped first: what is found after that is ours."""
    bold = _BOLD.sub(r"<b>\1</b>", html.escape(text))
    return _LINK.sub(lambda found: f'<a href="{found[2]}">{found[1]}</a>' if _leads(found[2]) else found[0], bold)


def _leads(escaped: str) -> bool:
    return bool(web_link(html.unescape(escaped)))


def _fill(part: str, **values: str) -> Html:
    """Every value is escaped here, unless it came from here."""
    escaped = {name: value if isinstance(value, Html) else html.escape(value) for name, value in values.items()}
    return Html(_parts()[part].substitute(escaped))


@cache
def _parts() -> dict[str, Template]:
    text = (files("tidings.channels.gallery") / "page.html").read_text("utf-8")
    _, *pieces = re.split(r"<!-- part: (\w+) -->\n", text)
    return {name: Template(part.strip()) for name, part in zip(pieces[::2], pieces[1::2], strict=True)}
