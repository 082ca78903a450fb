"""Compare what the API says was sent with what the receivers took: the one must be the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tidings.demo.arrived import Arrived
from tidings.demo.call import Api
from tidings.demo.recognise import recognised
from tidings.demo.record import Recipient, Record, Send, sends_by_id


def differences(records: Sequence[Record], arrived: Sequence[Arrived], complaints: Iterable[str]) -> list[str]:
    """In words; empty when every delivery that was sent is at a receiver, once or more, and nothing else is."""
    said, found = sends_by_id(records), {one.delivery: one for one in recognised(records, arrived)}
    return [
        *_not_arrived(said, found),
        *_not_sent(said, found),
        *(f"A receiver refused a message as malformed: {complaint}" for complaint in complaints),
    ]


def repeated(arrived: Iterable[Arrived]) -> int:
    """Messages that a receiver took more than once: allowed, and told."""
    return sum(one.taken > 1 for one in arrived)


def not_kept(records: Iterable[Record], posted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of the events that sources posted, (source, id), those that no record shows."""
    return sorted(set(posted) - {(record.event.source, record.event.source_id) for record in records})


def not_played(records: Iterable[Record], event_types: Iterable[str]) -> list[str]:
    return sorted(set(event_types) - {record.event.type for record in records})


async def built_in_types(api: Api) -> list[str]:
    """What the catalogue offers to sources; Tidings' own notices are no part of a day's work."""
    features = (await api.must("GET", "/catalog")).body["features"]
    return [event["type"] for feature in features if feature["code"] != "tidings" for event in feature["events"]]


def _not_arrived(said: Mapping[str, tuple[Recipient, Send]], found: Mapping[str, Arrived]) -> Iterator[str]:
    for key, (recipient, send) in said.items():
        one, what = found.get(key), f"Delivery {key}, by {send.channel} to {recipient.login},"
        if not send.taken:
            continue
        if one is None or not one.taken:
            yield f"{what} was sent, says the API; no receiver has it."
        elif (one.login, one.channel) != (recipient.login, send.channel):
            yield f"{what} went to {one.login} by {one.channel}."
        elif one.channel == "webhook" and len(one.answers) != send.tries:
            yield f"{what} was tried {send.tries} times, says the API; the receiver counts {len(one.answers)}."


def _not_sent(said: Mapping[str, tuple[Recipient, Send]], found: Mapping[str, Arrived]) -> Iterator[str]:
    for key, one in found.items():
        if key not in said:
            yield f"{one.login} got a message by {one.channel} of which the API knows nothing: {key}."
        elif one.taken and not said[key][1].taken:
            yield f"{one.login} got delivery {key} by {one.channel}; the API says it is {said[key][1].state}."
