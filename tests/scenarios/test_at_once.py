"""Several who write the same person for the first time, at once, on two nodes: each is answered as if one had come after
the other, and never by an error of ours."""

import asyncio
from collections import Counter
from typing import Any

from tests.scenarios.stage import WEB, Stage, in_django

ROUNDS = 8


async def at_once(stage: Stage, *calls: tuple[str, str, Any]) -> Counter[int]:
    """How often each status was answered; the calls alternate between the nodes."""
    secret = await in_django(lambda: stage.organisation.token("root"))
    nodes = [*stage.nodes] * len(calls)
    answers = await asyncio.gather(
        *(
            stage.send(method, f"/api/v1{path}", body, token=secret, at=node)
            for node, (method, path, body) in zip(nodes, calls, strict=False)
        )
    )
    return Counter(answer.status for answer in answers)


def settings(login: str, number: int) -> tuple[str, str, Any]:
    webhook = {"url": f"https://hooks.example.com/{login}/{number}"}
    return "PUT", f"/users/{login}/notification-settings", {"methods": ["webhook"], "webhook": webhook}


async def two_nodes(stage: Stage) -> None:
    await stage.start(WEB)
    await stage.start(WEB)


async def test_the_first_contact_point_of_a_person_may_be_written_by_several(empty_stage: Stage) -> None:
    await two_nodes(empty_stage)
    said: Counter[int] = Counter()
    for number in range(ROUNDS):
        login = f"new{number}"
        await at_once(empty_stage, ("PUT", f"/users/{login}", {}))
        said += await at_once(empty_stage, *(settings(login, each) for each in range(4)))
    assert said == {200: 4 * ROUNDS}


async def test_a_new_person_with_an_address_may_be_written_by_several(empty_stage: Stage) -> None:
    await two_nodes(empty_stage)
    said: Counter[int] = Counter()
    for number in range(ROUNDS):
        body = {"email": f"new{number}@example.com"}
        said += await at_once(empty_stage, *[("PUT", f"/users/new{number}", body)] * 4)
    assert said == {201: ROUNDS, 200: 3 * ROUNDS}


async def test_a_person_and_their_settings_may_be_written_at_once(empty_stage: Stage) -> None:
    await two_nodes(empty_stage)
    said: Counter[int] = Counter()
    for number in range(ROUNDS):
        login = f"new{number}"
        await at_once(empty_stage, ("PUT", f"/users/{login}", {}))
        said += await at_once(
            empty_stage,
            ("PUT", f"/users/{login}", {"email": f"{login}@example.com"}),
            ("PUT", f"/users/{login}/notification-settings", {"email": f"other-{login}@example.com"}),
        )
        # One is gone before or after the others: 404, or 200; who was written after leaving is back, 201.
        leaving = await at_once(
            empty_stage, ("DELETE", f"/users/{login}", None), settings(login, 0), ("PUT", f"/users/{login}", {})
        )
        assert set(leaving) <= {200, 201, 204, 404}, leaving
    assert said == {200: 2 * ROUNDS}
