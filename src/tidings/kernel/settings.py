"""Settings from the environment: typed, checked once, loud when wrong. `.env.example` lists every one of them."""

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tidings.kernel.addresses import parse_networks
from tidings.kernel.urls import UrlRefused, read_url

SECRET_LENGTH = 32
"""The least number of characters of a secret that an operator chooses."""
BASE_URL = "http://127.0.0.1:8420"
RETRY_SCHEDULE = "5,30,300,1800,7200,18000,36000,36000"


class SettingsError(Exception):
    """A setting is missing or unusable; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Settings:
    """`database_url` is None when the embedded PostgreSQL in `data_dir` is to be used."""

    database_url: str | None
    data_dir: Path
    secret_keys: tuple[str, ...]
    base_url: str
    allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    retry_schedule: tuple[timedelta, ...]
    admin_password: str | None
    admin_token: str | None


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    data_dir = default_data_dir(environment)
    database_url = _database_url(environment)
    if database_url is None:
        with _usable(data_dir):
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Settings(
        database_url=database_url,
        data_dir=data_dir,
        secret_keys=_secret_keys(environment, data_dir, embedded=database_url is None),
        base_url=_base_url(environment),
        allowed_networks=parse_networks(environment.get("TIDINGS_ALLOWED_NETWORKS", "")),
        retry_schedule=_schedule(environment.get("TIDINGS_RETRY_SCHEDULE") or RETRY_SCHEDULE),
        admin_password=_secret(environment, "TIDINGS_ADMIN_PASSWORD"),
        admin_token=_admin_token(environment),
    )


def default_data_dir(environment: Mapping[str, str]) -> Path:
    if given := environment.get("TIDINGS_DATA_DIR"):
        return Path(given).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/tidings")
    shared = Path(environment.get("XDG_DATA_HOME", ""))
    # The XDG specification has relative paths ignored.
    return (shared if shared.is_absolute() else Path.home() / ".local" / "share") / "tidings"


def _database_url(environment: Mapping[str, str]) -> str | None:
    url = environment.get("TIDINGS_DATABASE_URL") or None
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError(
            "TIDINGS_DATABASE_URL does not begin with postgresql://; Tidings keeps everything in PostgreSQL.",
            "For example: postgresql://tidings@db.example.com/tidings",
        )
    return url


def _base_url(environment: Mapping[str, str]) -> str:
    """What links in messages begin with; a path may stand behind the host, where a proxy puts one."""
    url = environment.get("TIDINGS_BASE_URL") or BASE_URL
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


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    """A secret by value, or by the file that `NAME_FILE` points at."""
    if path := environment.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip() or None
        except OSError as error:
            raise SettingsError(
                f"{name}_FILE cannot be read ({error.strerror}).", "Point it at a readable file."
            ) from None
    return environment.get(name) or None


def _admin_token(environment: Mapping[str, str]) -> str | None:
    """As hard to guess as those that are made here, and fit to stand in a header."""
    token = _secret(environment, "TIDINGS_ADMIN_TOKEN")
    if token is not None and not re.fullmatch(rf"[\x21-\x7e]{{{SECRET_LENGTH},}}", token):
        raise SettingsError(
            f"TIDINGS_ADMIN_TOKEN must have at least {SECRET_LENGTH} characters, all of them visible ASCII.",
            "Use: openssl rand -hex 32",
        )
    return token


def _secret_keys(environment: Mapping[str, str], data_dir: Path, *, embedded: bool) -> tuple[str, ...]:
    """The first key encrypts, the rest still decrypt. With the embedded database a key is made and kept beside it."""
    given = _secret(environment, "TIDINGS_SECRET_KEYS")
    if given:
        keys = tuple(key.strip() for key in given.split(",") if key.strip())
        if any(len(key) < SECRET_LENGTH for key in keys):
            raise SettingsError(
                f"TIDINGS_SECRET_KEYS holds a key shorter than {SECRET_LENGTH} characters.", "Use: openssl rand -hex 32"
            )
        return keys
    if not embedded:
        raise SettingsError(
            "TIDINGS_SECRET_KEYS is not set, and TIDINGS_DATABASE_URL is.",
            "Every node needs the same key: set it to the output of `openssl rand -hex 32`.",
        )
    with _usable(data_dir):
        return (_kept_key(data_dir / "secret.key"),)


@contextmanager
def _usable(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"The data folder {data_dir} cannot be used ({error.strerror}).",
            "Set TIDINGS_DATA_DIR to a folder that can be made and written to.",
        ) from None


def _kept_key(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_hex(32)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def _schedule(text: str) -> tuple[timedelta, ...]:
    try:
        steps = tuple(timedelta(seconds=float(step)) for step in text.split(","))
    except ValueError:
        steps = ()
    if not steps or any(step <= timedelta(0) for step in steps):
        raise SettingsError("TIDINGS_RETRY_SCHEDULE is not a list of seconds.", f"For example: {RETRY_SCHEDULE}")
    return steps
