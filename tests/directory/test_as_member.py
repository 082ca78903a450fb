"""A person is the same member whichever way the directory is read."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tidings.directory.as_member import as_member
from tidings.directory.load import load_people
from tidings.directory.people import Member
from tidings.kernel.database import connect

THEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("said", ["verified_at", "disabled_at", "left_at", "assumed"])
def test_django_and_the_hot_path_read_the_same(organisation: Any, database: str, said: str) -> None:
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    ann = organisation.people["ann"]
    point = ContactPoint(tenant_id=organisation.id, person=ann, channel="dingtalk", version=1, destination="x")
    point.sealed = seal({"mobile": "+8613800138000"})
    setattr(point, said, True if said == "assumed" else THEN)
    point.save()

    async def loaded() -> Member | None:
        connection = await connect(database, name="test")
        try:
            return (await load_people(connection, organisation.id)).by_login.get("ann")
        finally:
            await connection.close()

    assert as_member(ann, [point]) == asyncio.run(loaded())
