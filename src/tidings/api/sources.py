"""What a source sends in its own words: what they mean, the key that signs, and what could not be read. The node takes
the payloads themselves (`POST /sources/{adapter}`) and reads parked ones again."""

import json
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from tidings.api.authenticate import caller
from tidings.api.channels import FieldShown
from tidings.api.etag import if_match, set_etag
from tidings.api.events import EventSummary, summaries
from tidings.api.pages import Listed, Paging, Text
from tidings.channels.check import MASK
from tidings.door import send_test
from tidings.events.models import Parked
from tidings.events.sources.contract import Adapter, Group
from tidings.events.sources.contract import Parked as NotUnderstood
from tidings.events.sources.look import look_at_source
from tidings.events.sources.registry import ADAPTERS, in_order
from tidings.events.sources.set_up import ShownMapping, has_secret, mapping_of, parked_of, put_mapping, put_secret
from tidings.events.sources.suppose import Supposed, suppose
from tidings.kernel.ids import made_at
from tidings.kernel.pages import page_of
from tidings.kernel.settings import settings
from tidings.kernel.versions import Expected
from tidings.planning.views import view_now
from tidings.try_payload import tried_json, try_payload

router = Router(tags=["sources"])


class MappingShown(Schema):
    adapter: str
    parts: list[str] = Field(description="what a row may name; a part it does not name may be anything")
    rows: list[dict[str, Any]] = Field(description="the source's own; the first that fits is taken")
    options: dict[str, Any] = Field(description="what the source says of the system it is; GET /adapters names them")
    ignored_people: list[str] = Field(description="names and ids in payloads that are nobody here")
    built_in: list[dict[str, Any]] = Field(description="the adapter's, which come after")
    version: int


class MappingWanted(Schema):
    """What one reads can be written back; what a row may name is not looked at."""

    model_config = ConfigDict(extra="forbid")
    adapter: Text
    parts: Any = Field(None, description="not looked at")
    built_in: Any = Field(None, description="not looked at")
    rows: list[dict[str, Any]]
    options: dict[str, Any] | None = Field(None, description="missing: they stay")
    ignored_people: list[Text] | None = Field(None, max_length=100, description="missing: they stay")
    version: int | None = Field(None, description="the version you saw; 409 when it is no longer the current one")


class SecretShown(Schema):
    secret: str | None = Field(description="masked; null: none, and signatures are not looked at")


class SecretWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    secret: Text | None


class ParkedShown(Schema):
    id: UUID
    adapter: str
    reason: str
    detail: str
    words: dict[str, str] = Field(description="what a row of the mapping would have to name")
    times: int = Field(description="how often the very same payload came")
    first_at: AwareDatetime
    last_at: AwareDatetime
    resolved_at: AwareDatetime | None
    events: list[UUID] | None = Field(description="what it became; none at all when nobody wants to know")
    payload: Any


class TurnedAwayShown(Schema):
    code: str = Field(description="of the problem; `duplicate`: sent again and answered as the first time")
    count: int
    detail: str = Field(description="what the sender was told the last time")
    last_at: AwareDatetime


class SourceActivity(Schema):
    name: str
    adapter: str | None = Field(description="the one it is set up for")
    has_secret: bool = Field(description="whether payloads have to be signed")
    has_sent: bool = Field(description="whether any event of it is kept")
    parked: int = Field(description="payloads that wait for a mapping; 1000 stands for more")
    turned_away: list[TurnedAwayShown] = Field(
        description="what it was refused in the last day, by code; the last first"
    )
    latest: list[EventSummary] = Field(description="its last events, among the organisation's last 20,000")


class SampleShown(Schema):
    headers: dict[str, str]
    payload: Any


class EventKept(Schema):
    id: UUID
    duplicate: bool


class NotRead(Schema):
    reason: str
    detail: str
    words: dict[str, str]


class SourceTested(Schema):
    events: list[EventKept]
    ignored: bool = Field(description="by its words nobody wants to know of what it would send")
    parked: NotRead | None = Field(description="why it cannot be read; nothing is parked of a test")


class AdapterShown(Schema):
    adapter: str
    label: str
    group: Group = Field(description="what sort of system it is")
    about: dict[str, str] = Field(description="by language: what it is and how it connects, in a line")
    url: str = Field(description="where the other system is to send; the token follows as ?token= or as a bearer token")
    signs: bool = Field(description="whether its payloads can be signed")
    parts: list[str] = Field(description="what a row of its mapping may name")
    options: list[FieldShown] = Field(description="what a source of it may say of the system, in its mapping")
    steps: dict[str, list[str]] = Field(description="by language: what to do on the other side; {url} is the address")
    sample: SampleShown | None = Field(description="what it sends; POST /sources/{name}/test makes an event of it")


class TryWanted(Schema):
    """What is missing is taken as it is stored; nothing is changed."""

    model_config = ConfigDict(extra="forbid")
    adapter: Text | None = None
    rows: list[dict[str, Any]] | None = None
    options: dict[str, Any] | None = None
    ignored_people: list[Text] | None = Field(None, max_length=100)
    headers: dict[str, str] = Field({}, max_length=100, description="of the call that is tried")
    sample: Any = Field(description="the payload, as JSON; a text is taken for a body that is none")


class WouldBeParked(Schema):
    reason: str
    detail: str
    words: dict[str, str] = Field(description="what a row of the mapping would have to name")


class TriedShown(Schema):
    events: list[dict[str, Any]] = Field(description="as they would be kept")
    parked: WouldBeParked | None
    ignored: bool = Field(description="nobody wants to know: neither events nor parked")
    plans: list[dict[str, Any]] = Field(
        description="the decision record of each event, as POST /preview answers it; of the first 20 events"
    )


class WhichParked(Schema):
    resolved: bool = Field(False, description="those that were read in the end, instead of those that wait")


@router.get("/sources/{path:name}/mapping", response=MappingShown)
def get_mapping(request: HttpRequest, response: HttpResponse, name: str, adapter: Text | None = None) -> ShownMapping:
    shown = mapping_of(caller(request), name, adapter)
    set_etag(response, shown.version)
    return shown


@router.put("/sources/{path:name}/mapping", response=MappingShown)
def set_mapping(request: HttpRequest, response: HttpResponse, name: str, body: MappingWanted) -> ShownMapping:
    """Then have what waits read again: POST /sources/{name}/parked/replay."""
    expected = Expected(body.version, if_match(request))
    shown = put_mapping(caller(request), name, body.adapter, body.rows, body.ignored_people, body.options, expected)
    set_etag(response, shown.version)
    return shown


@router.get("/sources/{path:name}/secret", response=SecretShown)
def get_secret(request: HttpRequest, name: str) -> dict[str, str | None]:
    return {"secret": MASK if has_secret(caller(request), name) else None}


@router.put("/sources/{path:name}/secret", response=SecretShown)
def set_secret(request: HttpRequest, name: str, body: SecretWanted) -> dict[str, str | None]:
    """With one, a payload that is not signed with it is refused (401 `signature_refused`)."""
    put_secret(caller(request), name, body.secret)
    return {"secret": None if body.secret is None else MASK}


@router.get("/sources/{path:name}/parked", response=Listed[ParkedShown])
def list_parked(request: HttpRequest, name: str, which: Query[WhichParked], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first."""
    return page_of(parked_of(caller(request), name, resolved=which.resolved), paging).listed(_parked)


@router.get("/sources/{path:name}/activity", response=SourceActivity)
def get_activity(request: HttpRequest, name: str, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """How a source is doing."""
    who = caller(request)
    shown = look_at_source(who, name, limit=limit)
    return {
        "name": shown.source.name,
        "adapter": shown.adapter or None,
        "has_secret": shown.has_secret,
        "has_sent": shown.has_sent,
        "parked": shown.parked,
        "turned_away": shown.turned_away,
        "latest": summaries(who, shown.latest),
    }


@router.post("/sources/{path:name}/test", response=SourceTested)
def post_test(request: HttpRequest, name: str) -> dict[str, Any]:
    """What its system would send, read as the source is set up. The event says that it is a test, and tells you and
    nobody else, whatever the rules are."""
    tested = send_test(caller(request), name)
    if isinstance(tested, NotUnderstood):
        return {"events": [], "ignored": False, "parked": msgspec.structs.asdict(tested)}
    return {"events": [msgspec.structs.asdict(each) for each in tested], "ignored": not tested, "parked": None}


@router.post("/sources/{path:name}/try", response=TriedShown)
def try_source(request: HttpRequest, name: str, body: TryWanted) -> dict[str, Any]:
    """What a payload would become, and who would be told, with this in place of what is stored; nothing is kept or
    sent. Whether it is signed is not looked at."""
    who = caller(request)
    adapter, set_up = suppose(who, name, Supposed(body.adapter, body.rows, body.options, body.ignored_people))
    return tried_json(try_payload(view_now(who.tenant_id), name, adapter, set_up, body.headers, _raw(body.sample)))


@router.get("/adapters", response=Listed[AdapterShown])
def list_adapters(request: HttpRequest) -> dict[str, Any]:
    """Whose own payloads are understood."""
    caller(request).require("administrator", to_write=False)
    return {"items": [_adapter(adapter) for adapter in ADAPTERS.values()]}


def _adapter(adapter: Adapter) -> dict[str, Any]:
    sample = adapter.sample
    return {
        "adapter": adapter.code,
        "label": adapter.label,
        "group": adapter.group,
        "about": adapter.about,
        "url": f"{settings().base_url}/api/v1/sources/{adapter.code}",
        "signs": adapter.signs,
        "parts": adapter.mapping.parts,
        "options": adapter.options,
        "steps": adapter.steps,
        "sample": sample and {"headers": sample.headers, "payload": _payload(sample.body.decode())},
    }


def _parked(one: Parked) -> dict[str, Any]:
    return {
        "id": one.id,
        "adapter": one.adapter,
        "reason": one.reason,
        "detail": one.detail,
        "words": in_order(one.adapter, one.words),
        "times": one.times,
        "first_at": made_at(one.id),
        "last_at": one.last_at,
        "resolved_at": one.resolved_at,
        "events": one.became,
        "payload": _payload(one.body),
    }


def _raw(sample: Any) -> bytes:
    """The inverse of `_payload`."""
    return (sample if isinstance(sample, str) else json.dumps(sample, ensure_ascii=False)).encode()


def _payload(body: str) -> Any:
    """As JSON; as the text it is where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body
