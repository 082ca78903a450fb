"""A source that sends what cannot be taken: its administrators see what it was told, and how often."""

from typing import Any

from tests.delivery.given import event, in_django
from tests.scenarios.stage import Stage


async def _seen(stage: Stage, source: str = "dms") -> dict[str, tuple[int, str]]:
    """Once what is counted in memory is written."""
    node = stage.nodes[0].node
    await node.counting.write(node.connection("test"))
    token: str = await in_django(lambda: stage.organisation.token("root"))
    answer = await stage.send("GET", f"/api/v1/sources/{source}/activity", token=token)
    return {each["code"]: (each["count"], each["detail"]) for each in answer.body["turned_away"]}


async def test_what_is_refused_is_counted_by_its_code_with_the_last_words(stage: Stage) -> None:
    await stage.start()
    first, wrong = event(), event(type="data_change.succesful")
    await stage.post(first)
    assert await _seen(stage) == {}
    for body in (wrong, wrong, event(source="other"), {**first, "actor": "bo"}, first, b"{"):
        await stage.send("POST", "/api/v1/events", body)
    seen = await _seen(stage)
    assert {code: count for code, (count, _) in seen.items()} == {
        "unknown_event_type": 2, "wrong_source": 1, "event_id_reused": 1, "duplicate": 1, "malformed_json": 1,
    }  # fmt: skip
    assert "Did you mean data_change.successful" in seen["unknown_event_type"][1]
    await stage.post_batch(first, first, event(), wrong)
    seen = await _seen(stage)
    assert (seen["duplicate"][0], seen["unknown_event_type"][0]) == (3, 3)


async def test_payloads_of_another_system_count_too_and_administrators_do_not(stage: Stage) -> None:
    await stage.start()
    root: str = await in_django(lambda: stage.organisation.token("root"))
    await stage.send("PUT", "/api/v1/sources/dms/secret", {"secret": "a key"}, token=root)
    await stage.send("POST", "/api/v1/sources/dms", {"messageEvent": {}})
    await stage.send("POST", "/api/v1/events", event(type="nix.nix"), token=root)
    assert set(await _seen(stage)) == {"signature_refused"}


async def test_it_is_said_on_the_page_of_the_source_in_the_readers_language(stage: Stage) -> None:
    from django.test import Client
    from tests.console.conftest import account_of

    await stage.start()
    await stage.send("POST", "/api/v1/events", event(type="data_change.succesful<b>"))
    await _seen(stage)

    def page(language: str) -> Any:
        person = stage.organisation.people["root"]
        person.language = language
        person.save()
        client = Client()
        client.force_login(account_of(person))
        return client.get("/console/sources/dms").content.decode()

    english, chinese = await in_django(lambda: page("en")), await in_django(lambda: page("zh-hans"))
    assert "There is no such event type." in english and "succesful&lt;b&gt;" in english
    assert "最近一天被拒绝的内容" in chinese
