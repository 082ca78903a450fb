"""Sources: made with a token, ready to send, watched; what nobody could read is mapped and read again."""

import html as escapes
import json
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.api.given import event, happen, queries
from tests.console.test_channels import html, words

from tidings.console.sources.pages import FEW_OPTIONS
from tidings.events.sources.registry import ADAPTERS

Console = Callable[..., Any]
LINE = re.compile(r'<pre class="copyable" id="line-(\w+)"[^>]*>(.*?)</pre>', re.DOTALL)
WORDS = {"category": "工单", "module": "数据归档", "event": "执行成功"}


def curl_lines(page: str) -> dict[str, list[str]]:
    """By their names, as a shell reads them."""
    return {
        name: shlex.split(escapes.unescape(line).replace("\\\n", " "))
        for name, line in LINE.findall(page)
        if line.startswith("curl")
    }


@pytest.fixture
def dms(organisation: Any) -> str:
    organisation.source_token("dms-prod")
    return "/console/sources/dms-prod"


def park(organisation: Any, number: int = 1, reason: str = "unmapped") -> Any:
    from datetime import UTC, datetime

    from tidings.events.models import Parked
    from tidings.kernel.ids import uuid7

    push = {**WORDS, "taskId": f"88{number}", "taskName": "<b>Archive</b>", "eventTime": 1_625_630_049_930}
    push |= {"submitterUid": "ann"}
    return Parked.objects.create(
        id=uuid7(), tenant_id=organisation.id, source="dms-prod", adapter="dms", reason=reason,
        detail="No row has these words.", words=WORDS, headers={}, body=json.dumps({"messageEvent": push}),
        hash=f"{reason}{number}".encode(), times=2, last_at=datetime.now(UTC),
    )  # fmt: skip


# sources


def test_a_source_is_made_of_a_system_with_a_token_that_is_shown_once(console: Console, organisation: Any) -> None:
    assert "No source yet" in words(console("root").get("/console/sources"))
    gallery = html(console("root").get("/console/sources-new"))
    assert set(re.findall(r'href="/console/sources-new/(\w+)"', gallery)) == {"events", *ADAPTERS}
    assert 'value="dms"' in html(console("root").get("/console/sources-new/dms"))
    page = html(console("root").post("/console/sources-new/dms", {"name": "dms-prod"}, follow=True))
    [secret] = set(re.findall(r"tdg_[\w-]{20,}", page))
    from tidings.accounts.tokens import caller_of

    caller = caller_of(secret)
    assert caller is not None and caller.source == "dms-prod"
    assert secret not in html(console("root").get("/console/sources/dms-prod"))
    assert "Alibaba Cloud DMS" in words(console("root").get("/console/sources"))
    again = words(console("root").post("/console/sources-new/events", {"name": "dms-prod"}), 409)
    assert "There is a source of this name already" in again
    assert "1 to 200 characters, all of them visible" in words(
        console("root").post("/console/sources-new/dms", {"name": " "}), 422
    )


def test_a_name_is_proposed_that_nothing_has_yet(console: Console, organisation: Any) -> None:
    for name in ("dms", "dms-2", "dms-prod"):
        organisation.source_token(name)
    assert 'value="dms-3"' in html(console("root").get("/console/sources-new/dms"))
    assert console("root").get("/console/sources-new/fax").status_code == 404


def test_a_source_becomes_one_of_another_system(console: Console, api: Any, organisation: Any) -> None:
    organisation.source_token("a b")
    root = console("root")
    assert "How it sends" in words(root.get("/console/sources/a%20b"))
    chosen = html(root.get("/console/sources-new?of=a%20b"))
    assert 'action="/console/sources-system/a%20b"' in chosen
    root.post("/console/sources-system/a%20b", {"system": "dms"})
    page = words(root.get("/console/sources/a%20b"))
    assert "It sends as Alibaba Cloud DMS from now on." in page and "Connect Alibaba Cloud DMS" in page
    api("root").put("/sources/a%20b/mapping", {"adapter": "dms", "rows": [{"event": "x", "type": None}]})
    root.post("/console/sources-system/a%20b", {"system": "dms"})
    assert len(api("root").get("/sources/a%20b/mapping").body["rows"]) == 1
    root.post("/console/sources-system/a%20b", {"system": "events"})
    assert "How it sends" in words(root.get("/console/sources/a%20b"))
    assert api("root").get("/sources/a%20b/mapping").body["rows"] == []
    assert root.post("/console/sources-system/a%20b", {"system": "fax"}).status_code == 404
    assert root.get("/console/sources-new?of=nothing").status_code == 404


def test_every_line_is_one_that_the_api_takes(console: Console, organisation: Any, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from tidings.events.buses.file import read_buses
    from tidings.events.receive import receive_many, receive_one

    page = html(console("root").post("/console/sources-new/events", {"name": 'it\'s "here"'}, follow=True))
    lines = {name: escapes.unescape(line) for name, line in LINE.findall(page)}
    compile(lines.pop("python"), "python", "exec")
    file = tmp_path / "buses.toml"
    file.write_text(lines.pop("bus"))
    [bus] = read_buses(file, {"KAFKA_PASSWORD": "x"})
    assert bus.source == 'it\'s "here"'
    lines = curl_lines(page)
    assert set(lines) == {"json", "cloudevents", "batch", "preview"}
    for name, line in lines.items():
        assert line[:3] == ["curl", "-X", "POST"]
        assert line[3].endswith(
            {"batch": "/api/v1/events/batch", "preview": "/api/v1/preview"}.get(name, "/api/v1/events")
        )
        headers = dict(each.split(": ", 1) for flag, each in pairwise(line) if flag == "-H")
        assert headers["Authorization"].startswith("Bearer tdg_")
        read = receive_many if name == "batch" else receive_one
        given = read({"content-type": headers["Content-Type"]}, line[-1].encode(), now=datetime.now(UTC), source="")
        for each in given if isinstance(given, list) else [given]:
            assert (each.event.source, each.event.people.submitter) == ('it\'s "here"', "root")
    assert "$TIDINGS_TOKEN" in html(console("root").get("/console/sources/it's%20%22here%22"))


def test_a_source_shows_what_it_sent_last(console: Console, organisation: Any, dms: str, database: str) -> None:
    assert "Waiting for the first event" in words(console("root").get(dms))
    waits = html(console("root", part=True).get("/console/sources-latest/dms-prod"))
    assert "every 4s" in waits
    [seen] = re.findall(r"\?seen=([^\"]*)", waits)
    as_it_was = console("root", part=True).get(f"/console/sources-latest/dms-prod?seen={seen}")
    assert (as_it_was.status_code, as_it_was.content) == (204, b"")
    happen(organisation, database, event(source="dms-prod", id="seen-1"), event(source="other", id="other-1"))
    page = words(console("root").get(dms))
    assert "It is connected" in page and "seen-1" in page and "other-1" not in page
    assert "Data change: Data change successful" in page
    came = html(console("root", part=True).get(f"/console/sources-latest/dms-prod?seen={seen}"))
    assert "seen-1" in came and "every 4s" not in came and "sse:activity" in came
    assert "just now" in words(console("root").get("/console/sources"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("code", ["events", *ADAPTERS])
def test_a_test_is_what_the_system_sends_and_tells_only_who_asked(
    console: Console, api: Any, organisation: Any, code: str, language: str
) -> None:
    from tidings.rules.models import Rule

    organisation.people["root"].language = language
    organisation.people["root"].save()
    root = console("root")
    root.post(f"/console/sources-new/{code}", {"name": "its name"})
    everybody = [person.id for person in organisation.people.values()]
    rules = Rule.objects.for_tenant(organisation.id)
    assert rules.update(enabled=False, optional_roles=["dba", "administrator"], additional_users=everybody)
    page = words(console("root", part=True).post("/console/sources-try/its%20name"))
    assert ("The test was understood and kept" if language == "en" else "测试") in page
    [kept] = api("root").get("/events?source=its%20name").body["items"]
    record = api("root").get(f"/events/{kept['id']}").body
    assert [one["login"] for one in record["recipients"]] == ["root"]
    assert record["event"]["subject"]["title"].startswith("Test: " if language == "en" else "测试：")
    assert "root" in record["event"]["details"]["comment"]
    assert ("The test arrived. Now the system itself" in words(root.get("/console/sources/its%20name"))) == (
        language == "en"
    )
    # Another one is another event.
    assert "its name" in words(console("root").post("/console/sources-try/its%20name"))
    assert len(api("root").get("/events?source=its%20name").body["items"]) == 2


def test_a_test_that_cannot_be_read_or_is_not_wanted_says_so(console: Console, api: Any, dms: str) -> None:
    row = {"event": "待审批", "type": None}
    assert api("root").put("/sources/dms-prod/mapping", {"adapter": "dms", "rows": [row]}).status == 200
    told = words(console("root", part=True).post("/console/sources-try/dms-prod"))
    assert "nobody wants to know of what the test sent" in told
    assert api("root").post("/sources/dms-prod/test").body == {"events": [], "ignored": True, "parked": None}
    assert api("root").get("/events?source=dms-prod").body["items"] == []


def test_another_token_is_made_and_shown_once(console: Console, dms: str) -> None:
    root = console("root")
    assert root.post("/console/sources-tokens/dms-prod", {"token_name": "second"})["Location"] == dms
    assert "tdg_" not in html(root.get("/console/tokens")), "it is shown on the page of its source alone"
    page = html(root.get(dms))
    assert len(set(re.findall(r"tdg_[\w-]{20,}", page))) == 1
    assert "tdg_" not in html(root.get(dms)).replace("tdg_...", "")
    assert "second" in page and "tdg_" not in html(console("root").get(dms)).replace("tdg_...", "")


@pytest.mark.parametrize("code", ADAPTERS)
def test_a_system_is_connected_with_its_address_ready_to_be_copied(
    console: Console, organisation: Any, code: str
) -> None:
    page = html(console("root").post(f"/console/sources-new/{code}", {"name": "its name"}, follow=True))
    [secret] = re.findall(r'<code id="token-1">(tdg_[\w-]+)</code>', page)
    copied = {escapes.unescape(each) for each in re.findall(r'<code id="copy-[\d-]+"[^>]*>([^<]*)</code>', page)}
    assert f"http://127.0.0.1:8420/api/v1/sources/{code}?token={secret}" in copied
    assert f"Connect {escapes.escape(ADAPTERS[code].label)}" in page
    assert ('id="signing"' in page) == ADAPTERS[code].signs
    assert ('id="options"' in page) == (0 < len(ADAPTERS[code].options) <= FEW_OPTIONS)
    organisation.people["root"].language = "zh-hans"
    organisation.people["root"].save()
    later = html(console("root").get("/console/sources/its%20name"))
    assert "token=&lt;token&gt;" in later and secret not in later
    assert escapes.escape(ADAPTERS[code].steps["zh-hans"][0][:6]) in later


def test_a_signing_key_is_kept_unless_the_box_is_ticked(console: Console, organisation: Any, dms: str) -> None:
    from tidings.events.models import Intake

    def stored() -> bool:
        return Intake.objects.for_tenant(organisation.id).filter(sealed__isnull=False).exists()

    saved = html(console("root", part=True).post("/console/sources-secret/dms-prod", {"secret": "my dms key"}))
    assert 'id="signing"' in saved and "From now on payloads that are not signed" in saved
    assert stored() and "my dms key" not in html(console("root").get(dms))
    console("root").post("/console/sources-secret/dms-prod", {"secret": ""})
    assert stored()
    console("root").post("/console/sources-secret/dms-prod", {"secret": "", "remove": "1"})
    assert not stored()


# what could not be read


def test_words_that_were_parked_are_mapped_and_read_again(
    console: Console, api: Any, organisation: Any, dms: str
) -> None:
    one = park(organisation)
    assert "1 payload waits to be understood." in words(console("root").get(dms))
    page = html(console("root").get("/console/sources-parked/dms-prod"))
    assert "The payload uses words that nobody has mapped yet" in page and "came 2 times" in page
    assert "&lt;b&gt;Archive" in page and "<b>Archive" not in page
    form = html(console("root").get(f"/console/sources-mapping/dms-prod?adapter=dms&for={one.id}"))
    assert ">数据归档</textarea>" in form and form.count(" autofocus") == 1
    row = {f"{part}-0": word for part, word in WORDS.items()}
    wrong = {"adapter": "dms", "version": "0", "row": "0", "type-0": "data_change.succesful", **row}
    refused = words(console("root").post("/console/sources-mapping/dms-prod", wrong), 422)
    assert "did you mean" in refused and "data_change.successful" in refused
    saved = console("root").post("/console/sources-mapping/dms-prod", {**wrong, "type-0": "data_change.successful"})
    assert saved["Location"] == "/console/sources-parked/dms-prod"
    root = console("root")
    root.post("/console/sources-again/dms-prod")
    assert "1 payload became events." in words(root.get("/console/sources-parked/dms-prod"))
    assert "Became 1 event" in words(console("root").get("/console/sources-parked/dms-prod?resolved=1"))
    [kept] = api("root").get("/events?source=dms-prod").body["items"]
    assert kept["subject"]["title"] == "<b>Archive</b>"
    tried = html(console("root").get("/console/sources-mapping/dms-prod"))
    assert "&lt;b&gt;Archive" in tried, "when nothing waits any more, the next try begins with what was read in the end"


def test_what_stays_unread_is_said(console: Console, organisation: Any, dms: str) -> None:
    one, root = park(organisation), console("root")
    root.post("/console/sources-again/dms-prod", {"id": str(one.id)})
    assert "1 still waits." in words(root.get("/console/sources-parked/dms-prod"))
    park(organisation, 2, "test_message")
    assert (
        html(console("root").get("/console/sources-parked/dms-prod")).count("/sources-again/") == 2
    )  # all, and the first


def test_rows_of_words_are_changed_dropped_and_never_lost(console: Console, api: Any, dms: str) -> None:
    rows = [{"event": ["已撤回", "Withdrawn"], "type": "data_change.rejected"}, {"event": "评论", "type": None}]
    api("root").put("/sources/dms-prod/mapping", {"adapter": "dms", "rows": rows, "ignored_people": ["1"]})
    page = html(console("root").get("/console/sources-mapping/dms-prod"))
    assert ">已撤回\nWithdrawn</textarea>" in page
    assert (page.count('name="drop-'), page.count('name="row"')) == (2, 5), "those there are, and three to write in"
    written = {
        "adapter": "dms", "version": "1", "row": ["0", "1", "2"], "event-0": "已撤回\r\n Recalled ",
        "type-0": "data_change.rejected", "event-1": "评论", "type-1": "", "drop-1": "1", "event-2": "", "type-2": "",
        "ignored_people": "1\r\n2\r\n",
    }  # fmt: skip
    assert console("root").post("/console/sources-mapping/dms-prod", written)["Location"] == dms
    now = api("root").get("/sources/dms-prod/mapping").body
    assert now["rows"] == [{"event": ["已撤回", "Recalled"], "type": "data_change.rejected"}]
    assert now["ignored_people"] == ["1", "2"]
    late = html(console("root").post("/console/sources-mapping/dms-prod", {**written, "event-0": "mine"}), 409)
    assert "Somebody changed this meanwhile" in late and ">mine</textarea>" in late
    assert 'name="version" value="2"' in late


# tried before it is saved

DESK = {"request": {"no": 4711, "kind": "Data change", "state": "pending approval", "by": "ann", "who": ["bo"]}}
SAID = {
    "what": "body.request.kind", "status": "body.request.state", "subject_id": "body.request.no",
    "submitter": "body.request.by", "approvers": "body.request.who",
}  # fmt: skip


def attempt(console: Console, **written: Any) -> Any:
    post = {"adapter": "json", "sample": json.dumps(DESK), **written}
    return console("root", part=True).post("/console/sources-attempt/desk", post)


def test_a_payload_is_tried_by_what_stands_in_the_form(console: Console, api: Any, organisation: Any) -> None:
    console("root").post("/console/sources-new/json", {"name": "desk"})
    shown = words(attempt(console, **SAID))
    assert "It would become 1 event" in shown and "Data change: Pending approval" in shown
    assert "bo" in shown and "approver" in shown and "would read" in shown
    own = {"row": "0", "status-0": "pending approval", "type-0": "data_change.approved"}
    assert "Data change: Approved" in words(attempt(console, **SAID, **own))
    assert "Nobody wants to know of it" in words(attempt(console, **SAID, **own | {"type-0": ""}))
    titled = html(attempt(console, **SAID, title="headers.x_title", headers="X-Title: <b>Hi</b>\nno header"))
    assert "&lt;b&gt;Hi" in titled and "<b>Hi" not in titled
    whole = html(console("root").post("/console/sources-attempt/desk", {"adapter": "json", "sample": "[]", **SAID}))
    assert "Nobody wants to know of it" in whole and 'value="body.request.kind"' in whole, "without htmx too"
    assert api("root").get("/sources/desk/mapping").body["options"]["what"] is None, "nothing of it is kept"
    assert api("root").get("/events?source=desk").body["items"] == []


def test_why_it_would_be_parked_or_not_even_be_saved_is_said(console: Console, organisation: Any) -> None:
    console("root").post("/console/sources-new/json", {"name": "desk"})
    assert "It would be parked" in words(attempt(console, **SAID, sample="no JSON"))
    assert "It would be parked" in words(attempt(console, **SAID | {"status": "body.nothing"}))
    wrong = words(attempt(console, **SAID | {"what": "body.["}))
    assert "This could not be saved, so it is not tried" in wrong and "What it is" in wrong
    assert "did you mean" in words(
        attempt(console, **SAID, **{"row": "0", "status-0": "x", "type-0": "data_chang.approved"})
    )
    assert "larger" in words(attempt(console, **SAID, sample="x" * 262_145))
    assert console("mallory", part=True).post("/console/sources-attempt/desk").status_code == 404
    assert console("carol", part=True).post("/console/sources-attempt/desk").status_code == 403


def test_what_a_source_says_of_its_system_is_saved_beside_its_words(
    console: Console, api: Any, organisation: Any
) -> None:
    console("root").post("/console/sources-new/json", {"name": "desk"})
    page = html(console("root").get("/console/sources-mapping/desk"))
    assert 'name="subject_id"' in page and "What the system sends" in page
    [version] = re.findall(r'name="version" value="(\d+)"', page)
    wrong = {"adapter": "json", "version": version, **SAID, "what": "body.["}
    refused = html(console("root").post("/console/sources-mapping/desk", wrong), 422)
    assert 'value="body.["' in refused and "field-problem" in refused
    saved = console("root").post("/console/sources-mapping/desk", {"adapter": "json", "version": version, **SAID})
    assert saved["Location"] == "/console/sources/desk"
    assert api("root").get("/sources/desk/mapping").body["options"]["what"] == "body.request.kind"
    late = html(console("root").post("/console/sources-mapping/desk", {"adapter": "json", "version": version}), 409)
    assert "Somebody changed this meanwhile" in late


def test_what_is_parked_is_what_is_tried_first(console: Console, organisation: Any, dms: str) -> None:
    console("root").post("/console/sources-system/dms-prod", {"system": "dms"})
    assert "Add index on orders" in html(console("root").get("/console/sources-mapping/dms-prod"))
    one = park(organisation, 1)
    park(organisation, 2)
    assert "&quot;882&quot;" in html(console("root").get("/console/sources-mapping/dms-prod"))
    about = html(console("root").get(f"/console/sources-mapping/dms-prod?for={one.id}"))
    assert "&quot;881&quot;" in about and about.count("autofocus") == 1
    assert f"for={one.id}" in html(console("root").get("/console/sources-parked/dms-prod"))


# the rest


def test_pages_of_sources_take_as_many_queries_whatever_there_is(
    console: Console, organisation: Any, dms: str, database: str
) -> None:
    root = console("root")
    happen(organisation, database, event(source="dms-prod"))
    park(organisation)

    def counted() -> list[int]:
        counts = []
        for path in (
            "/console/sources",
            dms,
            "/console/sources-parked/dms-prod",
            "/console/sources-mapping/dms-prod",
            "/console/sources-new",
            "/console/sources-new/dms",
            "/console/sources-new?of=dms-prod",
            "/console/sources-latest/dms-prod",
        ):
            root.get(path)
            with queries() as sent:
                root.get(path)
            counts.append(len(sent))
        return counts

    before = counted()
    for number in range(5):
        organisation.source_token(f"source {number}")
        park(organisation, number + 10)
    happen(organisation, database, *(event(source="dms-prod") for _ in range(5)))
    assert counted() == before
    assert max(before) <= 14


def test_only_administrators_of_the_same_organisation_see_them(console: Console, dms: str) -> None:
    for path in ("/console/sources", dms, "/console/sources-parked/dms-prod", "/console/sources-mapping/dms-prod"):
        for login in ("ann", "carol", "eve"):
            assert console(login).get(path).status_code == 403
    for path in (
        dms,
        "/console/sources-parked/dms-prod",
        "/console/sources-mapping/dms-prod",
        "/console/sources-latest/dms-prod",
    ):
        assert console("mallory").get(path).status_code == 404
    for path in (
        "/console/sources-try/dms-prod",
        "/console/sources-again/dms-prod",
        "/console/sources-secret/dms-prod",
        "/console/sources-tokens/dms-prod",
    ):
        assert console("carol").post(path).status_code == 403
        assert console("mallory").post(path, {"secret": "x"}).status_code in (404, 422)


def test_a_name_with_a_slash_is_a_name(console: Console, organisation: Any) -> None:
    organisation.source_token("dms/prod")
    page = html(console("root").get("/console/sources"))
    assert 'href="/console/sources/dms/prod"' in page
    assert "dms/prod" in words(console("root").get("/console/sources/dms/prod"))


@pytest.mark.parametrize("name", ["dms/tokens", "dms/latest", "dms/mapping", "dms/parked/again", "tokens", "a..b/...c"])
def test_a_name_may_end_like_an_act_of_a_page(console: Console, organisation: Any, name: str) -> None:
    organisation.source_token(name)
    root = console("root")
    for act in ("sources", "sources-parked", "sources-mapping", "sources-latest"):
        assert root.get(f"/console/{act}/{name}").status_code == 200


@pytest.mark.parametrize("name", [".", "..", "../people", "a/./b", "dms/.."])
def test_a_name_that_no_page_could_be_asked_for_by_is_refused(console: Console, api: Any, name: str) -> None:
    assert "no URL leads there" in words(console("root").post("/console/sources-new/events", {"name": name}), 422)
    assert api("root").post("/sources", {"name": name}).status == 422
