"""While the database is away every call says so, and says when to come again; when it is back, all is as it was."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict
from tests.conftest import Server
from tests.scenarios.stage import WEB, Stage, in_django


@asynccontextmanager
async def away(server: Server, url: str) -> AsyncIterator[None]:
    """For Django: its connections are cut, and it gets no new ones."""
    name = str(conninfo_to_dict(url)["dbname"])
    server.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    try:
        server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND application_name NOT LIKE 'tidings %'"
        )
        yield
    finally:
        server.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)


async def test_rest_calls_say_that_it_is_away_and_when_to_come_again(
    empty_stage: Stage, server: Server, database: str
) -> None:
    stage = empty_stage
    await stage.start(WEB)
    secret = await in_django(lambda: stage.organisation.token("root"))
    calls = [
        ("GET", "/users", None),
        ("PUT", "/users/amy", {}),
        ("GET", "/catalog", None),
        ("POST", "/sources", {"name": "x"}),
    ]
    assert (await stage.send("GET", "/api/v1/users", token=secret)).status == 200
    async with away(server, database):
        for method, path, body in calls:
            answer = await stage.send(method, f"/api/v1{path}", body, token=secret)
            assert (answer.status, answer.body["code"]) == (503, "unavailable"), answer
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
    for method, path, body in calls:
        assert (await stage.send(method, f"/api/v1{path}", body, token=secret)).status in (200, 201)
