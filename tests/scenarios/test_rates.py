"""Who asks too much is told when to come again, and who comes through a proxy is seen as who they are."""

from ipaddress import ip_network
from typing import Any

from tests.delivery.given import event, in_django
from tests.scenarios.stage import Stage


async def token_of(stage: Stage, login: str) -> str:
    return str(await in_django(lambda: stage.organisation.token(login)))


async def counted(stage: Stage, limit: str) -> float:
    shown = (await stage.send("GET", "/metrics")).body.decode()
    lines = [line for line in shown.splitlines() if line.startswith(f'tidings_rate_limited_total{{limit="{limit}"}}')]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


async def test_a_token_that_calls_too_often_is_told_to_wait_and_others_are_not(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(api_rate=0.2)
    root, ann, before = await token_of(stage, "root"), await token_of(stage, "ann"), await counted(stage, "calls")
    answers = [await stage.send("GET", "/api/v1/me", token=root) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 2 + [429] * 2
    refused = answers[-1]
    assert (refused.body["code"], refused.headers["content-type"]) == ("rate_limited", "application/problem+json")
    assert refused.headers["retry-after"] in ("1", "2", "3", "4", "5")
    assert refused.headers["ratelimit-policy"] == '"calls";q=2;w=10'
    assert (await stage.send("POST", "/api/v1/preview", event(), token=root)).status == 429
    assert (await stage.send("GET", "/api/v1/me", token=ann)).status == 200
    assert await counted(stage, "calls") == before + 3
    # What is sent in, and who watches, has nothing to do with it.
    assert (await stage.send("POST", "/api/v1/events", event(), token=root)).status == 202
    assert (await stage.send("GET", "/healthz", token=root)).status == 200


async def test_a_password_that_is_a_proxys_is_nobodys_token(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(api_rate=0.2)
    for _ in range(4):
        page = await stage.send("GET", "/console/account/login/", authorization="Basic b3BlcmF0b3I6cHJveHk=")
        assert page.status == 200


async def test_a_source_that_sends_too_much_is_told_to_wait_and_nothing_of_that_is_kept(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(event_rate=1.0)
    before = await counted(stage, "events")
    batch = await stage.post_batch(*(event() for _ in range(30)))
    assert (batch.status, batch.body["accepted"]) == (202, 30)
    for answer in (await stage.send("POST", "/api/v1/events", event()), await stage.post_batch(event()),
                   await stage.send("POST", "/api/v1/sources/dms", {})):  # fmt: skip
        assert (answer.status, answer.body["code"]) == (429, "rate_limited")
        assert 15 <= int(answer.headers["retry-after"]) <= 21
    assert await stage.value("SELECT count(*) FROM events_event") == 30
    assert await counted(stage, "events") == before + 3
    other = await in_django(lambda: stage.organisation.source_token("airflow"))
    assert (await stage.send("POST", "/api/v1/events", event(source="airflow"), token=other)).status == 202
    # The people who look after the source see that it was turned away.
    await stage.nodes[0].node.counting.write(stage.nodes[0].node._counts)
    seen = await stage.send("GET", "/api/v1/sources/dms/activity", token=await token_of(stage, "root"))
    assert "rate_limited" in str(seen.body)


async def test_a_payload_that_becomes_many_events_pays_for_all_of_them(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(event_rate=1.0)
    many = [event() for _ in range(30)]
    assert len((await stage.send("POST", "/api/v1/sources/json", many)).body["events"]) == 30
    answer = await stage.send("POST", "/api/v1/events", event())
    assert (answer.status, answer.body["code"]) == (429, "rate_limited")
    assert 15 <= int(answer.headers["retry-after"]) <= 21


async def test_without_a_setting_a_source_sends_as_much_as_it_likes(stage: Stage) -> None:
    for _ in range(3):
        assert (await stage.post_batch(*(event(to="nobody") for _ in range(400)))).status == 202


async def addresses(stage: Stage) -> list[Any]:
    found = await stage.send("GET", "/api/v1/changes?kind=rule", token=await token_of(stage, "root"))
    return [each["address"] for each in found.body["items"]]


async def change(stage: Stage, **headers: str) -> None:
    root = await token_of(stage, "root")
    rule = await stage.send("GET", "/api/v1/rules/data_change.approved", token=root)
    wanted = {"enabled": not rule.body["enabled"], "version": rule.body["version"]}
    answer = await stage.send("PATCH", "/api/v1/rules/data_change.approved", wanted, token=root, **headers)
    assert answer.status == 200


async def test_a_change_says_from_where_it_was_asked_for(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start()
    await change(stage, **{"x-forwarded-for": "198.51.100.1"})
    assert await addresses(stage) == ["127.0.0.1"]


async def test_behind_a_trusted_proxy_it_is_the_address_that_the_proxy_heard(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(trusted_proxies=(ip_network("127.0.0.1/32"),))
    await change(stage, **{"x-forwarded-for": "6.6.6.6, 198.51.100.1"})
    assert await addresses(stage) == ["198.51.100.1"]


async def test_guesses_are_counted_by_the_address_that_the_proxy_heard(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(trusted_proxies=(ip_network("127.0.0.1/32"),))
    form = {"content-type": "application/x-www-form-urlencoded", "cookie": "tidings_csrf=" + "a" * 32,
            "referer": "https://127.0.0.1/"}  # fmt: skip

    async def guess(number: int, address: str) -> int:
        body = f"login=nobody{number}&password=wrong-password&csrfmiddlewaretoken={'a' * 32}".encode()
        answer = await stage.send("POST", "/console/account/login/", body, token="", **form, **{
            "x-forwarded-for": f"9.9.9.{number}, {address}"})  # fmt: skip
        return answer.status

    first = [await guess(number, "198.51.100.1") for number in range(2)]
    assert first == [200, 200]
    rows = await stage.rows("SELECT cache_key FROM accounts_cache WHERE cache_key LIKE '%%login%%'")
    assert rows, "guesses are counted"
    assert any("198.51.100.1" in str(row) for row in rows)
    assert not any("9.9.9." in str(row) or "127.0.0.1:" in str(row) for row in rows)
