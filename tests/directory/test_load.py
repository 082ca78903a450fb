"""What a node holds of a directory is, after any change, what it would read anew; and it reads only what changed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tidings.directory import load
from tidings.directory.load import load_directory
from tidings.directory.lookup import Directory
from tidings.kernel.database import Connection, connect

CHANGES = (
    "UPDATE accounts_person SET name = name || '!', roles = '{dba}' WHERE id = %(person)s",
    "UPDATE accounts_person SET roles = '{administrator,dba}' WHERE id = %(person)s",
    "UPDATE accounts_person SET roles = '{}', email = %(word)s || '@example.com' WHERE id = %(person)s",
    "UPDATE accounts_person SET login = %(word)s WHERE id = %(person)s",
    "UPDATE accounts_person SET mobile = '+86' || (ascii(%(word)s) + 13800138000) WHERE id = %(person)s",
    "UPDATE accounts_person SET external_id = %(word)s WHERE id = %(person)s",
    "UPDATE accounts_person SET departed_at = now() WHERE id = %(person)s",
    "UPDATE accounts_person SET departed_at = NULL, email = '', mobile = '', external_id = '' WHERE id = %(person)s",
    """
    INSERT INTO accounts_person (id, tenant_id, login, name, email, mobile, external_id, roles, methods, language,
                                 timezone, active, version)
    VALUES (gen_random_uuid(), %(tenant)s, %(word)s, '', '', '', '', '{dba}', '{}', 'en', 'UTC', true, 1)
    """,
    """
    INSERT INTO directory_contactpoint (id, tenant_id, person_id, channel, sealed, shown, destination, disabled_reason,
                                        version, assumed)
    VALUES (gen_random_uuid(), %(tenant)s, %(person)s, 'webhook', '', '', 'x:443', '', 1, false)
    ON CONFLICT (person_id, channel) DO UPDATE SET destination = %(word)s, disabled_at = now()
    """,
    "DELETE FROM directory_contactpoint WHERE person_id = %(person)s",
    """
    INSERT INTO directory_resource (id, tenant_id, instance, database, "table", owners, version)
    VALUES (gen_random_uuid(), %(tenant)s, 'rm', %(word)s, '', ARRAY[%(person)s::uuid], 1) ON CONFLICT DO NOTHING
    """,
    "UPDATE directory_resource SET owners = ARRAY[%(person)s::uuid] WHERE tenant_id = %(tenant)s",
    "UPDATE directory_resource SET instance = 'rm2' WHERE tenant_id = %(tenant)s AND database < %(word)s",
    "DELETE FROM directory_resource WHERE tenant_id = %(tenant)s AND database > %(word)s",
)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    connection = await connect(database, name="test")
    yield connection
    await connection.close()


def plain(directory: Directory) -> Any:
    """To compare: who holds a role is no order."""
    people = directory.people
    by_role = {role: {each.id for each in holders} for role, holders in people.by_role.items()}
    found = (people.by_id, people.by_login, people.by_email, people.by_mobile, people.by_external_id)
    return found, by_role, directory.resources.by_path


async def change(connection: Connection, organisation: Any, statement: str, chance: random.Random) -> None:
    rows = await (
        await connection.execute(
            "SELECT id FROM accounts_person WHERE tenant_id = %s ORDER BY login", (organisation.id,)
        )
    ).fetchall()
    word = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=4))
    asked = {"person": chance.choice(rows)[0], "tenant": organisation.id, "word": word}
    with suppress(psycopg.errors.UniqueViolation):
        await connection.execute(statement, asked)


@pytest.mark.parametrize("seed", range(8))
async def test_after_any_changes_it_is_what_would_be_read_anew(
    organisation: Any, connection: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    held = await load_directory(connection, organisation.id)
    for _ in range(12):
        for statement in chance.choices(CHANGES, k=chance.randrange(1, 6)):
            await change(connection, organisation, statement, chance)
        held = await load_directory(connection, organisation.id, held)
        assert plain(held) == plain(await load_directory(connection, organisation.id))


async def test_only_what_changed_is_made_anew(organisation: Any, connection: Connection) -> None:
    before = await load_directory(connection, organisation.id)
    same = await load_directory(connection, organisation.id, before)
    assert same.people is before.people
    assert same.resources is before.resources
    await connection.execute("UPDATE accounts_person SET name = 'Bo B.' WHERE id = %s", (organisation.people["bo"].id,))
    after = await load_directory(connection, organisation.id, same)
    assert after.resources is before.resources
    assert after.people.by_login["bo"].name == "Bo B."
    assert after.people.by_login["ann"] is before.people.by_login["ann"]


async def test_what_is_committed_late_is_not_overlooked(
    organisation: Any, connection: Connection, database: str
) -> None:
    """A change that began before somebody looked, and ended after another that began later was seen."""
    other = await connect(database, name="slow")
    name = "UPDATE accounts_person SET name = %s WHERE id = %s"
    async with other.transaction():
        await other.execute(name, ("late", organisation.people["ann"].id))
        await connection.execute(name, ("early", organisation.people["bo"].id))
        held = await load_directory(connection, organisation.id)
    held = await load_directory(connection, organisation.id, held)
    assert (held.people.by_login["ann"].name, held.people.by_login["bo"].name) == ("late", "early")
    await other.close()


async def test_who_reads_within_the_transaction_that_changes_sees_their_own_change(
    organisation: Any, connection: Connection
) -> None:
    held = await load_directory(connection, organisation.id)
    async with connection.transaction(force_rollback=True):
        await connection.execute(
            "UPDATE accounts_person SET name = 'mine' WHERE id = %s", (organisation.people["ann"].id,)
        )
        mine = await load_directory(connection, organisation.id, held)
    assert mine.people.by_login["ann"].name == "mine"


async def test_after_very_many_changes_all_is_read_anew(
    organisation: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "AT_MOST", 3)
    held = await load_directory(connection, organisation.id)
    await connection.execute("UPDATE accounts_person SET name = 'all' WHERE tenant_id = %s", (organisation.id,))
    after = await load_directory(connection, organisation.id, held)
    assert plain(after) == plain(await load_directory(connection, organisation.id))


async def test_lines_from_a_dump_of_another_cluster_say_nothing(organisation: Any, connection: Connection) -> None:
    held = await load_directory(connection, organisation.id)
    await connection.execute(
        "INSERT INTO directory_touched (tenant_id, person_id, xid) VALUES (%s, %s, '99999999999'::xid8)",
        (organisation.id, organisation.people["ann"].id),
    )
    assert (await load_directory(connection, organisation.id, held)).people is held.people


async def test_a_large_directory_does_not_keep_the_loop_to_itself(organisation: Any, connection: Connection) -> None:
    await connection.execute(
        """
        INSERT INTO directory_resource (id, tenant_id, instance, database, "table", owners, version)
        SELECT gen_random_uuid(), %s, 'rm', 'db' || n, '', '{}', 1 FROM generate_series(1, 20000) n
        """,
        (organisation.id,),
    )
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    directory = await load_directory(connection, UUID(str(organisation.id)))
    turning.cancel()
    assert len(directory.resources.by_path) == 20_000
    assert turns >= 20_000 / load.BITE
