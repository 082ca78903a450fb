"""Settings from the environment: typed, checked once, loud when wrong. `.env.example` lists every one of them."""

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from math import inf
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo

from tidings.kernel.addresses import InvalidNetworks, parse_networks
from tidings.kernel.logs import Format
from tidings.kernel.urls import UrlRefused, read_url

T = TypeVar("T", bound=str)

SECRET_LENGTH = 32
"""The least number of characters of a secret that an operator chooses."""
KEY_FILE = "secret.key"
"""In the data folder."""
BASE_URL = "http://127.0.0.1:8420"
API_RATE = "50"
"""A node's two threads answer some 200 calls a second: one token leaves three quarters of them to the others."""
RETRY_SCHEDULE = "5,30,300,1800,7200,18000,36000,36000"
LOG_LEVELS = ("info", "debug", "warning", "error")
LOG_FORMATS: tuple[Format, ...] = ("text", "json")


class SettingsError(Exception):
    """A setting is missing or unusable; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Settings:
    """`database_url` is None when the embedded PostgreSQL in `data_dir` is to be used. `keys_file`: where the secret
    keys came from, when that is a file; it may hold others by now (`kernel/keys.py`)."""

    database_url: str | None
    data_dir: Path
    secret_keys: tuple[str, ...]
    keys_file: Path | None
    base_url: str
    allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    api_rate: float
    event_rate: float
    retry_schedule: tuple[timedelta, ...]
    admin_password: str | None
    admin_token: str | None
    log_level: str
    log_format: Format
    buses: Path | None = None
    """The file that names the buses to take events from."""


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises `SettingsError` for the first that is missing or unusable; no secret is in its text. With the embedded
    database the data folder is made, and a key in it where none is given."""
    given = given_settings(environment)
    data_dir, embedded = given.data_dir, given.database_url is None
    if embedded:
        with _usable(data_dir):
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given.secret_keys:
        return given
    if not embedded:
        raise SettingsError(
            "TIDINGS_SECRET_KEYS is not set, and TIDINGS_DATABASE_URL is.",
            "Every node needs the same key: set it to the output of `openssl rand -hex 32`.",
        )
    with _usable(data_dir):
        return replace(given, secret_keys=_kept_keys(data_dir / KEY_FILE), keys_file=data_dir / KEY_FILE)


def given_settings(environment: Mapping[str, str]) -> Settings:
    """What the environment says, with nothing made and nothing looked for in the data folder: without keys where it
    gives none. Raises `SettingsError`."""
    data_dir = default_data_dir(environment)
    database_url = _database_url(environment.get("TIDINGS_DATABASE_URL", "").strip())
    secret_keys, keys_file = _given_keys(environment)
    return Settings(
        database_url=database_url,
        data_dir=data_dir,
        secret_keys=secret_keys,
        keys_file=keys_file,
        base_url=_base_url(environment.get("TIDINGS_BASE_URL") or BASE_URL),
        allowed_networks=_networks(environment, "TIDINGS_ALLOWED_NETWORKS"),
        trusted_proxies=_networks(environment, "TIDINGS_TRUSTED_PROXIES"),
        api_rate=_rate(environment, "TIDINGS_API_RATE", API_RATE),
        event_rate=_rate(environment, "TIDINGS_EVENT_RATE", "0"),
        retry_schedule=_schedule(environment.get("TIDINGS_RETRY_SCHEDULE") or RETRY_SCHEDULE),
        admin_password=secret_from(environment, "TIDINGS_ADMIN_PASSWORD"),
        admin_token=_admin_token(environment),
        log_level=_one_of(environment, "TIDINGS_LOG_LEVEL", LOG_LEVELS),
        log_format=_one_of(environment, "TIDINGS_LOG_FORMAT", LOG_FORMATS),
        buses=Path(buses).expanduser().absolute() if (buses := environment.get("TIDINGS_BUSES")) else None,
    )


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Raises `SettingsError`."""
    try:
        if given := environment.get("TIDINGS_DATA_DIR"):
            return Path(given).expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/tidings")
        shared = Path(environment.get("XDG_DATA_HOME", ""))
        # The XDG specification has relative paths ignored.
        return (shared if shared.is_absolute() else Path.home() / ".local" / "share") / "tidings"
    except RuntimeError:
        raise SettingsError("The home folder is not known.", "Set TIDINGS_DATA_DIR to an absolute path.") from None


def _database_url(url: str) -> str | None:
    """As libpq reads it. Its own complaints are not repeated: they quote the URL, password and all."""
    if not url:
        return None
    form = "Write it as postgresql://USER:PASSWORD@HOST:5432/NAME; what is special in a password as %40 (@), %2F (/)."
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        timeout_from_conninfo({"connect_timeout": parts.get("connect_timeout", "5")})
    except psycopg.ProgrammingError:
        parts = {}
    if not parts or not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError("TIDINGS_DATABASE_URL is not the URL of a PostgreSQL database.", form)
    if any(port and not _is_port(port) for port in parts.get("port", "").split(",")):
        raise SettingsError("TIDINGS_DATABASE_URL has a port that is no number from 1 to 65535.", form)
    if not parts.get("dbname") and not parts.get("service"):
        raise SettingsError("TIDINGS_DATABASE_URL names no database.", form)
    return url


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65_536


def _base_url(url: str) -> str:
    """What links in messages begin with; a path may stand behind the host, where a proxy puts one."""
    try:
        target = read_url(url)
    except UrlRefused:
        target = None
    if target is None or "?" in url or "#" in url:
        raise SettingsError(
            "TIDINGS_BASE_URL is not the address of a web page; links in messages lead there.",
            "For example: https://tidings.example.com",
        )
    return target.url.rstrip("/")


def _networks(environment: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return parse_networks(environment.get(name, ""))
    except InvalidNetworks as error:
        raise SettingsError(f"{name}: {error.message}", error.hint) from None


def _rate(environment: Mapping[str, str], name: str, default: str) -> float:
    """A second; 0 is no limit."""
    try:
        rate = float(environment.get(name) or default)
    except ValueError:
        rate = -1
    if not 0 <= rate < inf:
        raise SettingsError(f"{name} is not how many a second.", f"For example: {API_RATE}; 0 for no limit.")
    return rate


def secret_from(environment: Mapping[str, str], name: str) -> str | None:
    """A secret by value, or by the file that `NAME_FILE` points at."""
    if path := environment.get(f"{name}_FILE"):
        try:
            content = Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(
                f"{name}_FILE cannot be read ({error.strerror}).", "Point it at a readable file."
            ) from None
        except UnicodeDecodeError:
            raise SettingsError(f"{name}_FILE is no text.", "Point it at a file with the secret as text.") from None
        if not content:
            raise SettingsError(f"{name}_FILE is empty.", "Write the secret into it, or remove the setting.")
        return content
    return environment.get(name) or None


def _admin_token(environment: Mapping[str, str]) -> str | None:
    """As hard to guess as those that are made here, and fit to stand in a header."""
    token = secret_from(environment, "TIDINGS_ADMIN_TOKEN")
    if token is not None and not re.fullmatch(rf"[\x21-\x7e]{{{SECRET_LENGTH},}}", token):
        raise SettingsError(
            f"TIDINGS_ADMIN_TOKEN must have at least {SECRET_LENGTH} characters, all of them visible ASCII.",
            "Use: openssl rand -hex 32",
        )
    return token


def _given_keys(environment: Mapping[str, str]) -> tuple[tuple[str, ...], Path | None]:
    """The first key encrypts, the rest still decrypt; and the file they came from, if they came from one."""
    setting = "TIDINGS_SECRET_KEYS"
    given = secret_from(environment, setting)
    if not given:
        return (), None
    keys = split_keys(given)
    if not keys:
        raise SettingsError(
            f"{setting} holds a key shorter than {SECRET_LENGTH} characters.", "Use: openssl rand -hex 32"
        )
    path = environment.get(f"{setting}_FILE")
    return keys, Path(path).absolute() if path else None


def split_keys(text: str) -> tuple[str, ...]:
    """As the setting and the file have them, comma separated; none when one of them is too short."""
    keys = tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
    return () if any(len(key) < SECRET_LENGTH for key in keys) else keys


@contextmanager
def _usable(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"The data folder {data_dir} cannot be used ({error.strerror}).",
            "Set TIDINGS_DATA_DIR to a folder that can be made and written to.",
        ) from None


def _kept_keys(path: Path) -> tuple[str, ...]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        keys = split_keys(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(
            f"The secret key {path} can neither be read nor made ({reason}).",
            "Run Tidings as the user who owns that folder, or set TIDINGS_DATA_DIR to another.",
        ) from None
    if not keys:
        raise SettingsError(
            f"The secret key {path} is damaged.",
            "Bring it back from a backup. Without it what it encrypted is lost: then remove it, and a new one is made.",
        )
    return keys


def new_key() -> str:
    return secrets.token_hex(SECRET_LENGTH)


def _make_key(path: Path) -> None:
    """Complete or not at all, and once, however many processes start."""
    with NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as file:
        file.write(new_key())
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


def _one_of(environment: Mapping[str, str], name: str, choices: tuple[T, ...]) -> T:
    """The first is the default."""
    given = environment.get(name, "").strip().lower() or choices[0]
    for choice in choices:
        if given == choice:
            return choice
    raise SettingsError(f"{name} is none of {', '.join(choices)}.", f"For example: {choices[0]}")


def _schedule(text: str) -> tuple[timedelta, ...]:
    try:
        steps = tuple(timedelta(seconds=float(step)) for step in text.split(","))
    except (ValueError, OverflowError):
        steps = ()
    if not steps or any(step <= timedelta(0) for step in steps):
        raise SettingsError("TIDINGS_RETRY_SCHEDULE is not a list of seconds.", f"For example: {RETRY_SCHEDULE}")
    return steps
