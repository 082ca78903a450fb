"""One embedded PostgreSQL a process, a fresh database a test module, and the same people in every test.

Who asks for none of these fixtures starts no database. What tests share is a database, never a tenant: `tenant` is new
for every test, so nothing has to be cleaned up between them.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import settings as examples
from psycopg import sql

# Django reads its settings once, when it is set up: from here, not from the developer's environment.
for _name in [name for name in os.environ if name.startswith("TIDINGS_") and not name.startswith("TIDINGS_GOLDEN")]:
    del os.environ[_name]
# Not `tmp_path`: as root it lies below a folder of mode 0700, which PostgreSQL's own user cannot pass.
_FOLDER = Path(tempfile.mkdtemp(prefix="tidings-test-", dir="/tmp")).resolve()
_FOLDER.chmod(0o755)
os.environ["TIDINGS_DATA_DIR"] = str(_FOLDER / "data")
os.environ["TIDINGS_SECRET_KEYS"] = "0123456789abcdef" * 4
os.environ["DJANGO_SETTINGS_MODULE"] = "tidings.kernel.django_settings"
# Nobody listens there: a test that asks the database without the fixture `database` fails at once.
os.environ["TIDINGS_RESOLVED_DATABASE_URL"] = "postgresql://nobody@/no_database_fixture?host=/nonexistent"

import django  # noqa: E402
from django.conf import settings as django_settings  # noqa: E402

django.setup()
# A password that is hard to guess from its hash takes half a second; no test is about that.
django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# For those who look for trouble: --hypothesis-profile=deep
examples.register_profile("deep", max_examples=2_000, deadline=None)

QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "100"}
TEMPLATE = "tidings_template"
_numbers = count(1)


def pytest_unconfigure() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)


# the database


@dataclass(frozen=True)
class Server:
    """`url` leads to the server's own database, from which others are made."""

    url: str
    folder: str

    def url_of(self, database: str) -> str:
        return f"postgresql://tidings@/{database}?host={quote(self.folder)}&port=5432"

    def run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An empty PostgreSQL server of this process."""
    from tidings.kernel.postgres import start

    with start(_FOLDER / "data", settings=QUICK) as running:
        yield Server(running.url, psycopg.conninfo.conninfo_to_dict(running.url)["host"])


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """A database with all tables and no rows; others are copied from it."""
    from django.core.management import call_command

    server.run("CREATE DATABASE {}", TEMPLATE)
    _point_django_at(server, TEMPLATE)
    call_command("migrate", verbosity=0)
    _disconnect()
    return TEMPLATE


@pytest.fixture(scope="module")
def database(server: Server, template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database; Django's connections lead there too, from every thread."""
    name = f"tidings_{next(_numbers)}"
    server.run("CREATE DATABASE {} TEMPLATE {}", name, template)
    _point_django_at(server, name)
    yield server.url_of(name)
    _disconnect()
    server.run("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def empty_database(server: Server) -> Iterator[str]:
    """The URL of a database without any table, for what migrates by itself. Django is not led there."""
    name = f"tidings_{next(_numbers)}"
    server.run("CREATE DATABASE {}", name)
    yield server.url_of(name)
    server.run("DROP DATABASE {} WITH (FORCE)", name)


def _point_django_at(server: Server, name: str) -> None:
    from django.db import connections

    _disconnect()
    # The connections of all threads share this one dict.
    connections["default"].settings_dict.update(
        NAME=name, USER="tidings", HOST=server.folder, PORT="5432", OPTIONS={}, CONN_MAX_AGE=None
    )


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()


# the people

# login: system roles
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "root": ("administrator",),
    "ann": (),  # submits
    "bo": (),  # approves
    "dan": (),  # approves, and owns the data
    "carol": ("dba",),
    "eve": ("security_administrator",),
}


@dataclass
class Organisation:
    """A tenant, its people by login, and what speaks for them."""

    tenant: Any
    people: dict[str, Any] = field(default_factory=dict)
    _secrets: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> Any:
        return self.tenant.id

    def caller(self, login: str = "root") -> Any:
        """As the acts want it: this person, with all scopes."""
        from tidings.accounts.models import SCOPES, Person
        from tidings.accounts.permissions import Caller

        person = Person.objects.for_tenant(self.tenant.id).get(login=login)
        return Caller(self.tenant.id, login, frozenset(SCOPES), person)

    def add(self, login: str, roles: tuple[str, ...] = (), **more: Any) -> Any:
        from tidings.accounts.models import Person

        person = Person.objects.create(tenant=self.tenant, login=login, name=login.title(), roles=list(roles), **more)
        self.people[login] = person
        return person

    def token(self, login: str) -> str:
        """The secret of a token of this person, with all scopes; made once."""
        from tidings.accounts.tokens import create_token

        if login not in self._secrets:
            _, self._secrets[login] = create_token(self.caller(login), person=self.people[login])
        return self._secrets[login]

    def source_token(self, name: str) -> str:
        """The secret of a token of this source; both are made when they are new."""
        from tidings.accounts.models import Source
        from tidings.accounts.tokens import create_token

        key = f"source:{name}"
        if key not in self._secrets:
            source, _ = Source.objects.for_tenant(self.tenant.id).get_or_create(tenant=self.tenant, name=name)
            _, self._secrets[key] = create_token(self.caller(), source=source)
        return self._secrets[key]


@pytest.fixture
def organisation(database: str) -> Organisation:
    """A new tenant with rules for every event type and the people of `PEOPLE`; nobody has a contact point."""
    return _organisation("acme", PEOPLE)


@pytest.fixture
def other_organisation(database: str) -> Organisation:
    """Another tenant, where mallory may do everything."""
    return _organisation("mallory's", {"mallory": ("administrator", "dba", "security_administrator")})


@pytest.fixture
def tenant(organisation: Organisation) -> Any:
    return organisation.tenant


@pytest.fixture
def people(organisation: Organisation) -> dict[str, Any]:
    """ann submits, bo and dan approve, dan owns the data, carol is the DBA, eve is security administrator, root is
    administrator."""
    return organisation.people


def _organisation(name: str, people: Mapping[str, tuple[str, ...]]) -> Organisation:
    from tidings.accounts.models import Tenant
    from tidings.rules.start import create_rules

    organisation = Organisation(Tenant.objects.create(name=f"{name} {next(_numbers)}"))
    create_rules(organisation.id)
    for login, roles in people.items():
        organisation.add(login, roles)
    return organisation


# the API


@dataclass(frozen=True)
class Answer:
    """`body` is the JSON, None when there is none; a file that is no JSON is bytes."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The problem's stable code."""
        return str(self.body["code"])

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


class Api:
    """A small JSON client of `/api/v1`, over Django's own handler; `token` "" sends none."""

    def __init__(self, token: str) -> None:
        from django.test import Client

        self._client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str, **query: Any) -> Answer:
        return self.send("GET", path, query=query)

    def put(self, path: str, body: Any, *, if_match: str = "") -> Answer:
        return self.send("PUT", path, body, if_match=if_match)

    def post(self, path: str, body: Any = None, *, wait: bool = True) -> Answer:
        """`wait` until what is sent aside was sent, as the answer itself does not."""
        from tidings.channels.send_aside import finish

        answer = self.send("POST", path, body)
        if wait:
            finish(begun_only=False)
        return answer

    def patch(self, path: str, body: Any, *, if_match: str = "") -> Answer:
        return self.send("PATCH", path, body, if_match=if_match)

    def delete(self, path: str, *, if_match: str = "") -> Answer:
        return self.send("DELETE", path, if_match=if_match)

    def send(
        self, method: str, path: str, body: Any = None, *, if_match: str = "", query: Mapping[str, Any] | None = None
    ) -> Answer:
        """`path` begins after `/api/v1`; it is sent as it is, so quote what needs it."""
        response = self._client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
            content_type="application/json",
            query_params=dict(query or {}),
            headers={"If-Match": if_match} if if_match else {},
        )
        is_file = "Content-Disposition" in response.headers
        content = response.content if is_file else json.loads(response.content or b"null")
        return Answer(response.status_code, content, response.headers)


@pytest.fixture
def api(organisation: Organisation, other_organisation: Organisation) -> Callable[..., Api]:
    """`api("ann").get("/rules")`: as this person; mallory comes from the other tenant. `api(source="dms")` speaks for a
    source, `api(token=...)` with any token, `api(token="")` with none."""

    def client(login: str = "root", *, source: str = "", token: str | None = None) -> Api:
        if token is not None:
            return Api(token)
        if source:
            return Api(organisation.source_token(source))
        return Api((other_organisation if login == "mallory" else organisation).token(login))

    return client


@pytest.fixture
def local_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This installation may call this machine."""
    from tidings.kernel.settings import settings

    monkeypatch.setenv("TIDINGS_ALLOWED_NETWORKS", "127.0.0.0/8")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets the secret keys of this process, the current one first."""
    from tidings.kernel.settings import settings

    def use(*keys: str) -> None:
        monkeypatch.setenv("TIDINGS_SECRET_KEYS", ",".join(keys))
        settings.cache_clear()

    yield use
    monkeypatch.undo()
    settings.cache_clear()
