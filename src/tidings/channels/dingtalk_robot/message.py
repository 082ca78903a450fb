"""What a group reads: one message of one event for all whom it concerns, or one that names several events.

It is Markdown, not an action card. A mobile in `at` and in the text mentions its owner in both, as others measured
(https://github.com/jenkinsci/dingtalk-plugin/pull/404); but of cards DingTalk's pages have said yes and no
(https://github.com/CatchZeng/dingtalk/issues/18, https://github.com/thierryxing/dingtalk-bot/issues/4), and a card has
one link where several events have several.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tidings.channels.contract import Parcel
from tidings.channels.dingtalk.app import as_dingtalk_writes
from tidings.channels.dingtalk.markdown import ID_LENGTH, LIMITS, inline_link, joined, paragraphs, plain
from tidings.channels.words import CUT

# Of the whole body: {"errcode":460101,"errmsg":"description: body 大小不合法;solution:请保持大小在 20000bytes 以内;"}
# https://github.com/timonwong/prometheus-webhook-dingtalk/pull/222
MOST_BYTES = 20_000
TITLE_LENGTH = 64
# Several events: a part of what one alone may have.
SUMMARY_LIMITS = (*LIMITS[1:], (20, 0))
SEPARATOR = "\n\n---\n\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """`left_out` are the parcels of the events that found no room: the message counts them and says no more."""

    body: bytes
    left_out: frozenset[int] = frozenset()


@dataclass(slots=True)
class Section:
    """One event in one language, and whom it is for: their places among the parcels, by the reason they are told."""

    first: Parcel
    readers: dict[str, list[int]] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        return [place for places in self.readers.values() for place in places]


def letter(parcels: Sequence[Parcel], keyword: str) -> Letter:
    """Of parcels that come in the order of urgency; what asks its readers to act comes first all the same."""
    sections = _sections(parcels)
    for length, entries in LIMITS if _events(sections) == 1 else SUMMARY_LIMITS:
        body = _body(parcels, sections, sections, keyword, length, entries)
        if len(body) <= MOST_BYTES:
            return Letter(body)
    kept = len(sections)
    while len(body) > MOST_BYTES and kept > 1:
        kept -= 1
        body = _body(parcels, sections[:kept], sections, keyword, *SUMMARY_LIMITS[-1])
    return Letter(body, frozenset(place for section in sections[kept:] for place in section.places))


def _sections(parcels: Sequence[Parcel]) -> list[Section]:
    found: dict[tuple[str, str, str], Section] = {}
    for place, parcel in enumerate(parcels):
        document = parcel.document
        key = document.occasion.event_id, document.language, document.earlier
        section = found.setdefault(key, Section(parcel))
        section.readers.setdefault(document.why, []).append(place)
    return sorted(found.values(), key=lambda section: section.first.document.tone != "action")


def _events(sections: Sequence[Section]) -> int:
    return len({section.first.document.occasion.event_id for section in sections})


def _body(
    parcels: Sequence[Parcel],
    sections: Sequence[Section],
    all_sections: Sequence[Section],
    keyword: str,
    length: int,
    entries: int,
) -> bytes:
    count, left_out = _events(all_sections), len(all_sections) - len(sections)
    more = [f"{CUT} (+{left_out})"] if left_out else []
    text = SEPARATOR.join([_text(section, parcels, length, entries) for section in sections])
    title = plain(all_sections[0].first.document.headline, min(length, TITLE_LENGTH)) or CUT
    mobiles = [_mobile(parcels[place]) for section in sections for place in section.places]
    return msgspec.json.encode(
        {
            "msgtype": "markdown",
            "markdown": {
                "title": f"{title} (+{count - 1})" if count > 1 else title,
                "text": joined([text, *more, plain(keyword, ID_LENGTH)]),
            },
            "at": {"atMobiles": sorted({mobile for mobile in mobiles if mobile}), "isAtAll": False},
            "msgUuid": _identity(parcels),
        }
    )


def _text(section: Section, parcels: Sequence[Parcel], length: int, entries: int) -> str:
    document = section.first.document
    linked = inline_link(document)
    about = plain(document.occasion.subject_id, min(length, ID_LENGTH))
    return joined(
        [
            *paragraphs(document, length, entries),
            f"{linked} · {about}" if linked else f"· {about}",
            *[_addressed(why, [parcels[place] for place in places], length) for why, places in section.readers.items()],
        ]
    )


def _addressed(why: str, parcels: Sequence[Parcel], length: int) -> str:
    """A mobile after an @ becomes its owner's name; who has none here is named."""
    names = [f"@{mobile}" if (mobile := _mobile(parcel)) else _name(parcel) for parcel in parcels]
    return f"{' '.join(dict.fromkeys(names))} {plain(why, length)}".rstrip()


def _name(parcel: Parcel) -> str:
    reader = parcel.document.reader
    return f"**{plain(reader.name, ID_LENGTH) or plain(reader.login, ID_LENGTH)}**"


def _mobile(parcel: Parcel) -> str:
    mobile = parcel.extra.get("mobile", "")
    return as_dingtalk_writes(mobile) if mobile else ""


def _identity(parcels: Sequence[Parcel]) -> str:
    """The same over the tries of the same deliveries: DingTalk posts what has it once.
    https://help.dingtalk.io/open/development/custom-robots-send-group-messages ("msgUuid")"""
    if len(parcels) == 1:
        return parcels[0].identity.hex
    return hashlib.sha256("".join(sorted(parcel.identity.hex for parcel in parcels)).encode()).hexdigest()[:32]
