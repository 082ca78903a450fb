"""The mail itself: headers, plain text, HTML.

Headers are written here rather than by `email.message`: that one folds a long Message-ID into encoded words
(https://github.com/python/cpython/issues/79986), and a header of ours is a cleaned line or it is not there at all.
"""

import binascii
import hashlib
import html
import re
from base64 import encodebytes
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from string import Template
from uuid import UUID

from tidings.channels.contract import Parcel
from tidings.channels.email.addresses import Sender
from tidings.channels.words import CUT, cut, one_line, paragraph, web_link
from tidings.messages.document import Document, Fact, Tone
from tidings.messages.wording import wording

TITLE_LENGTH = 120
ID_LENGTH = 60
HEADLINE_LENGTH = 300
TEXT_LENGTH = 1_000
LABEL_LENGTH = 40
# 30 rows of 300 characters, Chinese or English, stay under the 102 kB of HTML after which Gmail hides the rest.
VALUE_LENGTH = 300
MAX_FACTS = 30
TONES: Mapping[Tone, str] = {"action": "#d97706", "info": "#1f5fd1", "success": "#15803d", "failure": "#c02626"}
FONTS = (
    "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',"
    "'Helvetica Neue',Arial,sans-serif"
)
# Readers of mail know the language tags of browsers.
HTML_LANGUAGES = {"en": "en", "zh-hans": "zh-Hans"}


@dataclass(frozen=True, slots=True)
class Letter:
    """`content` is ASCII with CRLF, no line over 998 characters (RFC 5321, 4.5.3.1.6), not yet dot-stuffed."""

    sender: str
    recipient: str
    message_id: str
    content: bytes


def letter(parcel: Parcel, sender: Sender) -> Letter:
    document = parcel.document
    return write_letter(
        parcel.identity,
        Sender(who_says(document, sender), sender.address),
        str(parcel.contact["address"]),
        parcel.now,
        subject=subject_of(document),
        text=as_text(document, parcel.unsubscribe_url),
        page=as_html(document, parcel.unsubscribe_url),
        thread=f"<{thread_of(document, sender)}@{sender.domain}>",
        unsubscribe=_unsubscribe(parcel),
    )


def write_letter(
    identity: UUID,
    sender: Sender,
    recipient: str,
    now: datetime,
    *,
    subject: str,
    text: str,
    page: str,
    thread: str = "",
    unsubscribe: Iterable[tuple[str, str]] = (),
) -> Letter:
    """One text in two forms, to one address."""
    message_id = f"<{identity.hex}@{sender.domain}>"
    boundary = f"=_{identity.hex}"  # neither base64 nor quoted-printable can contain "=_" (RFC 2045, 6.7)
    headers = [
        ("Date", format_datetime(now)),
        ("From", f"{_name(sender.name)} <{sender.address}>" if sender.name else sender.address),
        ("To", recipient),
        ("Subject", _encoded("Subject", subject)),
        ("Message-ID", message_id),
        # A root that is never sent: clients that thread as RFC 5256 does make a container for it, so the mails about
        # one subject stand together whichever of them arrives first. https://www.jwz.org/doc/threading.html
        *([("In-Reply-To", thread), ("References", thread)] if thread else []),
        # No vacation notes in answer: RFC 3834, 5; the second is Exchange's own (MS-OXCMAIL, 2.1.3.2.20).
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        *unsubscribe,
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
    ]
    lines = [
        *(f"{name}: {value}" for name, value in headers),
        "",
        *(line for kind, body in (("plain", text), ("html", page)) for line in _part(boundary, kind, body)),
        f"--{boundary}--",
        "",
    ]
    return Letter(sender.address, recipient, message_id, "\r\n".join(lines).encode("ascii"))


def subject_of(document: Document) -> str:
    """The subject and its kind, not the status: Gmail starts another conversation when a Subject changes, References or
    not, so the status would tear every thread apart. It stands in the sender's name, which changes no thread, and opens
    the text: lists show one before the Subject and the other behind it."""
    occasion = document.occasion
    label = one_line(occasion.feature_labels.get(document.language) or occasion.feature_labels.get("en", ""))
    title, identity = cut(one_line(occasion.title), TITLE_LENGTH), cut(one_line(occasion.subject_id), ID_LENGTH)
    about = " ".join(part for part in (cut(label, LABEL_LENGTH), identity) if part)
    return f"{title} ({about})" if title and title != identity else about


def who_says(document: Document, sender: Sender) -> str:
    """ "Failed (Tidings)", as Jira and Gerrit write in the name of "Ann (Jira)": what differs stands first, since lists
    show some twenty characters of it."""
    labels = document.occasion.event_labels
    status = cut(one_line(labels.get(document.language) or labels.get("en", "")), LABEL_LENGTH)
    return f"{status} ({sender.name})" if status and sender.name else status or sender.name


def thread_of(document: Document, sender: Sender) -> str:
    """One for each subject and sender; a hash, since an id may hold anything."""
    occasion = document.occasion
    named = "\0".join((sender.address, occasion.subject_kind, occasion.subject_id))
    return "subject." + hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]


def as_text(document: Document, unsubscribe_url: str) -> str:
    label, url, leave = wording(document.language).label, web_link(document.url), web_link(unsubscribe_url)
    facts = "\n".join(f"{fact.label}: {fact.value}" for fact in _facts(document))
    blocks = [
        one_line(document.earlier),
        cut(one_line(document.headline), HEADLINE_LENGTH),
        cut(paragraph(document.todo), TEXT_LENGTH),
        facts,
        f"{one_line(document.link_label) or label('open')}:\n{url}" if url else "",
        cut(paragraph(document.why), TEXT_LENGTH),
        f"{label('unsubscribe')}:\n{leave}" if leave else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def as_html(document: Document, unsubscribe_url: str) -> str:
    label, url, leave = wording(document.language).label, web_link(document.url), web_link(unsubscribe_url)
    return fill_page(
        document.language,
        document.tone,
        earlier=_fill("earlier", text=document.earlier) if document.earlier else "",
        headline=cut(one_line(document.headline), HEADLINE_LENGTH),
        todo=fill_todo(document.todo),
        facts=Html("".join(_fill("fact", label=fact.label, value=fact.value) for fact in _facts(document))),
        button=_fill("button", url=url, label=one_line(document.link_label) or label("open")) if url else "",
        why=cut(paragraph(document.why), TEXT_LENGTH),
        settings=_fill("settings", url=leave, label=label("unsubscribe")) if leave else "",
    )


def fill_page(language: str, tone: Tone, **parts: str) -> str:
    """The whole page; a part that is not given is left out."""
    absent = dict.fromkeys(("earlier", "headline", "todo", "facts", "button", "why", "settings"), "")
    return _fill("page", **absent | parts, language=HTML_LANGUAGES.get(language, language), tone=TONES[tone])


def fill_todo(text: str) -> str:
    return _fill("todo", text=cut(paragraph(text), TEXT_LENGTH)) if text else ""


class Html(str):
    """Markup of ours: already escaped."""

    __slots__ = ()


def _fill(part: str, **values: str) -> Html:
    """A part of the template. Every value is escaped here, unless it came from here."""
    escaped = {
        name: value if isinstance(value, Html) else html.escape(paragraph(value)).replace("\n", "<br>")
        for name, value in values.items()
    }
    return Html(_parts()[part].substitute(escaped, fonts=FONTS))


@cache
def _parts() -> Mapping[str, Template]:
    text = (files("tidings.channels.email") / "template.html").read_text("utf-8")
    _, *pieces = re.split(r"<!-- part: (\w+) -->\n", text)
    return {name: Template(part.strip()) for name, part in zip(pieces[::2], pieces[1::2], strict=True)}


def _facts(document: Document) -> Iterator[Fact]:
    for fact in document.facts[:MAX_FACTS]:
        yield Fact(fact.key, cut(one_line(fact.label), LABEL_LENGTH), cut(paragraph(fact.value), VALUE_LENGTH))
    if len(document.facts) > MAX_FACTS:
        yield Fact("cut", CUT, f"+{len(document.facts) - MAX_FACTS}")


def _unsubscribe(parcel: Parcel) -> Iterator[tuple[str, str]]:
    """RFC 8058: one click is a POST to an HTTPS address. Over plain HTTP the link leads to the same page, and no client
    may act on it: scanners fetch every link in a mail."""
    leave = web_link(parcel.unsubscribe_url)
    if leave.isascii() and leave:
        yield "List-Unsubscribe", f"<{leave}>"
        if leave.lower().startswith("https:"):
            yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _name(name: str) -> str:
    """A display name: a quoted string where ASCII will do, encoded words where not."""
    if _is_plain(name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded("From", name)


def _encoded(header: str, text: str) -> str:
    return text if _is_plain(text) else Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Text that looks like an encoded word is encoded too, or the reader would see what it decodes to."""
    return text.isascii() and text.isprintable() and "=?" not in text


def _part(boundary: str, kind: str, text: str) -> Iterator[str]:
    # Quoted-printable costs three characters for every odd byte, base64 a third for all.
    body = text.encode()
    odd = len(body) - len(text.encode("ascii", errors="ignore"))
    readable = odd * 6 < len(body)
    encoded = binascii.b2a_qp(body) if readable else encodebytes(body)
    yield f"--{boundary}"
    yield f"Content-Type: text/{kind}; charset=utf-8"
    yield f"Content-Transfer-Encoding: {'quoted-printable' if readable else 'base64'}"
    yield ""
    yield encoded.rstrip(b"\n").replace(b"\n", b"\r\n").decode("ascii")
