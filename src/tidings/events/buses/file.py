"""The file that says which buses there are to take events from (`TIDINGS_BUSES`): read whole, refused in words.

A text of it may hold `${NAME}`: the variable of the environment, or the content of the file that `NAME_FILE` points at.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta, Struct

from tidings.events.group import AT_MOST
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.settings import SettingsError, secret_from

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_Name = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,39}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=500)]
_Seconds = Annotated[float, Meta(ge=1, le=3_600)]


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A bus to take from, and whose word its messages are. `tenant` empty: the only one there is, or the one called
    default."""

    name: _Name
    url: Annotated[str, Meta(min_length=1)]
    source: _Text
    tenant: str = ""
    adapter: str = "tidings"
    batch: Annotated[int, Meta(ge=1, le=AT_MOST)] = AT_MOST


class Kafka(Entry, frozen=True, kw_only=True, tag="kafka"):
    topic: _Text
    group: _Text = "tidings"


class RabbitMQ(Entry, frozen=True, kw_only=True, tag="rabbitmq"):
    queue: _Text


class Nats(Entry, frozen=True, kw_only=True, tag="nats"):
    """`subject`: of those the stream has, the ones to take. `taken_over_after`: seconds after which what a node took,
    and neither did nor asked more time for, goes to another."""

    stream: _Text
    subject: str = ">"
    group: _Text = "tidings"
    taken_over_after: _Seconds = 60


class Redis(Entry, frozen=True, kw_only=True, tag="redis"):
    """`field`: which of an entry's holds the event; the others are its headers. `taken_over_after`: as of NATS."""

    stream: _Text
    group: _Text = "tidings"
    field: _Text = "data"
    taken_over_after: _Seconds = 60


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    bus: list[Kafka | RabbitMQ | Nats | Redis] = []


LIBRARY: Mapping[str, str] = {"kafka": "aiokafka", "rabbitmq": "aio_pika", "nats": "nats", "redis": "redis"}
"""What a kind is spoken with, and the extra of ours that brings it has the name of the kind."""
SCHEMES: Mapping[str, tuple[str, ...]] = {
    "kafka": ("kafka", "kafkas"),
    "rabbitmq": ("amqp", "amqps"),
    "nats": ("nats", "tls"),
    "redis": ("redis", "rediss", "unix"),
}


def kind_of(entry: Entry) -> str:
    return str(entry.__struct_config__.tag)


def read_buses(path: Path | None, environment: Mapping[str, str]) -> Sequence[Entry]:
    """None at all where no file is named. Raises `SettingsError`, without a secret in its text."""
    if path is None:
        return ()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _wrong(f"{path} cannot be read ({error.strerror})", "Point it at a readable file.") from None
    except UnicodeDecodeError:
        raise _wrong(f"{path} is no text in UTF-8", "Write it in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"{path} is no TOML", f"{error}.") from None
    try:
        # Complaints quote what stands in the file, never what was put in for a variable.
        msgspec.convert(table, _File)
        entries = msgspec.convert(_filled(table, environment), _File).bus
    except msgspec.ValidationError as error:
        said = str(error).replace("$.", "")
        known = ", which is kafka, rabbitmq, nats or redis" if said.endswith(".kind`") else ""
        raise _wrong(f"{path} does not fit", f"{said}{known}. See docs/sources/buses.md.") from None
    for entry in entries:
        _check(path, entry)
    if twice := [name for name, times in Counter(entry.name for entry in entries).items() if times > 1]:
        raise _wrong(f"{path} has two buses called {twice[0]!r}", "Give each a name of its own.")
    return entries


def _check(path: Path, entry: Entry) -> None:
    kind = kind_of(entry)
    if entry.adapter not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise _wrong(f"{path}: {entry.name} names the adapter {entry.adapter!r}", f"The adapters are: {known}.")
    if entry.url.partition("://")[0] not in SCHEMES[kind]:
        first = SCHEMES[kind][0]
        raise _wrong(f"{path}: the url of {entry.name} is not one of {kind}", f"Write it as {first}://USER@HOST:PORT.")
    if not _leads_somewhere(entry):
        hint = "It has a host, a port from 1 to 65535 if any, and %2F, %3F, %23, %40 for / ? # @ in a password."
        raise _wrong(f"{path}: the url of {entry.name} has no host, or an impossible port", hint)
    if find_spec(LIBRARY[kind]) is None:
        raise _wrong(f"{path}: {entry.name} is of {kind}, which is not installed", f"Install tidings[{kind}].")


def _leads_somewhere(entry: Entry) -> bool:
    """As far as can be told without asking."""
    if entry.url.startswith("unix://"):
        return True
    try:
        hosts = urlsplit(entry.url).netloc.rpartition("@")[2]
        there = [urlsplit(f"//{each}") for each in (hosts.split(",") if isinstance(entry, Kafka) else [hosts])]
        return all(each.hostname and each.port != 0 for each in there)
    except ValueError:
        return False


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    """With the variables put in. Within a text they are percent-encoded, since they stand in a URL."""
    if isinstance(value, dict):
        return {name: _filled(each, environment) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in value]
    if not isinstance(value, str):
        return value
    if whole := _VARIABLE.fullmatch(value):
        return _variable(whole[1], environment)
    return _VARIABLE.sub(lambda found: quote(_variable(found[1], environment), safe=""), value)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    value = secret_from(environment, name)
    if value is None:
        raise _wrong(
            f"it asks for ${{{name}}}, which is not set", f"Set {name}, or {name}_FILE to a file that holds it."
        )
    return value


def _wrong(what: str, hint: str) -> SettingsError:
    return SettingsError(f"TIDINGS_BUSES: {what}.", hint)
