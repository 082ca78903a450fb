"""The example of an event type as each channel would show it to its reader. No database, no network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tidings.channels.check import check_values
from tidings.channels.contract import Channel, Example, Parcel, Shown
from tidings.messages.document import Document
from tidings.messages.examples import example, example_identity

UNSUBSCRIBE_URL = "https://tidings.example.com/unsubscribe/example"


@dataclass(frozen=True, slots=True)
class Shape:
    """One form in which a channel speaks: "sms-twilio"; "email" has only one."""

    name: str
    channel: Channel
    values: Example

    def label(self, language: str) -> str:
        _, _, form = self.name.partition("-")
        label = self.channel.label[language]
        return f"{label} ({form})" if form else label


@dataclass(frozen=True, slots=True)
class Piece:
    shape: Shape
    language: str
    document: Document
    shown: Shown

    @property
    def event_type(self) -> str:
        return self.document.occasion.event_type


def shapes(channels: Mapping[str, Channel]) -> list[Shape]:
    """Of all channels that have examples, in their order."""
    return [
        Shape(f"{code}-{form}" if form else code, channel, values)
        for code, channel in channels.items()
        for form, values in channel.examples.items()
    ]


def pieces(shapes: Iterable[Shape], event_types: Iterable[str], languages: Iterable[str]) -> Iterator[Piece]:
    """By event type, then language, then shape; a channel that cannot show what it sends is left out."""
    every, spoken = list(shapes), list(languages)
    for event_type in event_types:
        for language in spoken:
            document = example(event_type, language)
            for shape in every:
                shown = shape.channel.preview(example_parcel(shape, document))
                if shown is not None:
                    yield Piece(shape, language, document, shown)


def example_parcel(shape: Shape, document: Document) -> Parcel:
    channel, occasion = shape.channel, document.occasion
    return Parcel(
        identity=example_identity(occasion.event_type, document.language, shape.name),
        document=document,
        contact=check_values(channel.contact, shape.values.contact, {}),
        settings=check_values(channel.settings, shape.values.settings, {}),
        now=occasion.time + timedelta(seconds=1),
        unsubscribe_url=UNSUBSCRIBE_URL if channel.unsubscribes else "",
    )
