"""O&M > Notification: find a rule, change it, see what it means, take it back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import event, happen, queries
from tests.conftest import Organisation

APPROVED, EXPORTED = "data_change.approved", "data_export.approved"
RULES, RULE = "/console/rules", f"/console/rules/{APPROVED}"
Console = Callable[..., Any]


def text_of(answer: Any) -> str:
    """What is read, without the marks around it."""
    assert answer.status_code == 200, answer.content.decode()[:2_000]
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def rule(organisation: Organisation, event_type: str = APPROVED) -> Any:
    from tidings.rules.show import rule_of

    return rule_of(organisation.caller(), event_type)


def rows(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content.decode()[:2_000]
    return re.findall(r'<input class="form-check-input" type="checkbox" form="batch" name="event_type" value="([^"]+)"',
                      answer.content.decode())  # fmt: skip


def change(organisation: Organisation, login: str = "root", event_type: str = APPROVED, **wanted: Any) -> Any:
    from tidings.kernel.versions import Expected
    from tidings.rules.change import Wanted, change_rule

    return change_rule(organisation.caller(login), event_type, Wanted(**wanted), Expected())


# find


def test_tickets_come_first_and_each_event_says_who_is_told(console: Console, organisation: Organisation) -> None:
    organisation.people["bo"].name = "Bo Zhang"
    organisation.people["bo"].save()
    change(organisation, optional_roles=["data_owner"], additional_users=["bo"])
    answer = console("carol").get(RULES)
    found = rows(answer)
    assert len(found) == 54 and found[:3] == [
        "permission_application.pending_approval", "permission_application.approved", "permission_application.rejected"
    ]  # fmt: skip
    row = re.search(r'<tr id="rule-data_change-approved".*?</tr>', answer.content.decode(), re.DOTALL)
    assert row is not None
    said = " ".join(re.sub(r"<[^>]+>", " ", row[0]).split())
    assert (
        said
        == "Approved changed Submitter Data Owner Bo Zhang Data change: Approved: On Save Modify Data change: Approved History Data change: Approved"
    )


def test_task_flows_and_our_own_notices_have_tabs(console: Console) -> None:
    assert len(rows(console().get(RULES, {"tab": "flows"}))) == 4
    assert all(code.startswith("tidings.") for code in rows(console().get(RULES, {"tab": "tidings"})))
    assert re.findall(r"(Tickets|Task flows|Notices of Tidings) (\d+)", text_of(console().get(RULES))) == [
        ("Tickets", "54"), ("Task flows", "4"), ("Notices of Tidings", "3")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"q": "change approved"}, [APPROVED]),
        ({"q": "数据变更 通过"}, [APPROVED]),
        ({"on": "off"}, [EXPORTED]),
        ({"changed": "1"}, [APPROVED, EXPORTED]),
        ({"role": "data_owner"}, [APPROVED]),
        ({"user": "bo"}, [APPROVED]),
        ({"feature": "data_export", "on": "off"}, [EXPORTED]),
        ({"q": "nothing like it"}, []),
        ({"q": "nul\0l", "tab": "nope", "on": "maybe"}, []),
    ],
)
def test_rules_are_found_by_words_and_filters(
    console: Console, organisation: Organisation, filters: dict[str, str], found: list[str]
) -> None:
    change(organisation, optional_roles=["data_owner"], additional_users=["bo"])
    change(organisation, event_type=EXPORTED, enabled=False)
    assert rows(console().get(RULES, filters)) == found


def test_a_search_that_hits_another_tab_only_opens_that_one(console: Console) -> None:
    assert {code.partition(".")[0] for code in rows(console().get(RULES, {"q": "orchestration"}))} == {
        "task_orchestration"
    }


def test_how_many_were_found_is_read_out(console: Console) -> None:
    found = rows(console().get(RULES, {"q": "orchestration"}))
    page = console(part=True).get(RULES, {"q": "orchestration"}).content.decode()
    assert f'id="rules-said" role="status">{len(found)} rules<' in page
    assert 'hx-select-oob="#rules-said:innerHTML"' in page


def test_an_empty_list_says_what_to_do(console: Console) -> None:
    assert "No rule here is like that" in text_of(console().get(RULES, {"q": "nothing like it"}))


def test_the_address_of_a_search_can_be_shared(console: Console) -> None:
    answer = console(part=True).get(RULES, {"q": "approved", "feature": "", "on": "on", "tab": ""})
    assert answer["HX-Push-Url"] == "/console/rules?q=approved&on=on"


@pytest.mark.parametrize("login", ["ann", "eve"])
def test_nobody_else_opens_these_pages(console: Console, login: str) -> None:
    for path in (RULES, RULE, f"{RULE}/history", f"{RULE}/restore?version=1", f"{RULES}/people?search=a"):
        assert console(login).get(path).status_code == 403
    for path in (
        RULE,
        f"{RULE}/switch",
        f"{RULE}/try",
        f"{RULE}/users",
        f"{RULES}/batch",
        f"{RULES}/undo",
        f"{RULE}/restore",
    ):
        assert console(login).post(path, {"version": 1}).status_code == 403


def test_the_list_costs_the_same_however_many_people_are_added(console: Console, organisation: Organisation) -> None:
    client = console()
    change(organisation, additional_users=["ann"])
    client.get(RULES)
    with queries() as few:
        client.get(RULES)
    for number, code in enumerate(rows(client.get(RULES))[:20]):
        change(organisation, event_type=code, additional_users=["ann", "bo", "dan", "carol"][: number % 4 + 1])
    with queries() as many:
        client.get(RULES)
    assert len(many) == len(few) <= 12, few


# switch


def test_a_switch_works_at_once_and_answers_with_its_row(console: Console, organisation: Organisation) -> None:
    answer = console(part=True).post(f"{RULE}/switch", {"version": 1})
    body = answer.content.decode()
    assert answer.status_code == 200 and body.strip().startswith('<tr id="rule-data_change-approved" class="rule-off">')
    assert "Data change: Approved is off: nobody is told." in body
    assert rule(organisation).enabled is False
    console(part=True).post(f"{RULE}/switch", {"version": 2, "enabled": "true"})
    assert (rule(organisation).enabled, rule(organisation).version) == (True, 3)


def test_without_script_a_switch_comes_back_to_the_list_as_it_was(console: Console, organisation: Organisation) -> None:
    answer = console().post(f"{RULE}/switch", {"version": 1, "back": f"{RULES}?q=approved"})
    assert (answer.status_code, answer["Location"]) == (302, f"{RULES}?q=approved")
    assert rule(organisation).enabled is False


@pytest.mark.parametrize("back", ["https://evil.example/console/rules", "//evil.example", "/console/inbox", ""])
def test_one_comes_back_to_these_pages_only(console: Console, back: str) -> None:
    assert console().post(f"{RULE}/switch", {"version": 1, "back": back})["Location"] == RULES


def test_a_switch_after_somebody_elses_edit_shows_it_and_asks(console: Console, organisation: Organisation) -> None:
    change(organisation, "carol", additional_users=["bo"])
    answer = console(part=True).post(f"{RULE}/switch", {"version": 1})
    said = text_of(answer)
    assert (answer["HX-Retarget"], rule(organisation).enabled) == ("#dialog", True)
    assert "Carol changed this rule" in said and "added: Bo" in said and "You were about to switch it off." in said
    # The row as it is now comes with it.
    assert '<tr id="rule-data_change-approved" hx-swap-oob="true">' in answer.content.decode()
    assert 'name="version" value="2"' in answer.content.decode()
    console(part=True).post(f"{RULE}/switch", {"version": 2})
    assert rule(organisation).enabled is False


def test_two_who_want_the_same_are_told_so(console: Console, organisation: Organisation) -> None:
    change(organisation, "carol", enabled=False)
    said = text_of(console(part=True).post(f"{RULE}/switch", {"version": 1}))
    assert "It is off already." in said and "Switch it off" not in said


# many


def test_a_batch_says_first_what_would_change(console: Console, organisation: Organisation) -> None:
    change(organisation, event_type=EXPORTED, enabled=False)
    chosen = {"event_type": [APPROVED, EXPORTED], "enabled": "false", "back": f"{RULES}?q=approved"}
    said = text_of(console(part=True).post(f"{RULES}/batch", chosen))
    assert "1 rule will be switched off." in said and "Off already: Data export: Approved" in said
    assert rule(organisation).enabled is True
    everything = {"event_type": [EXPORTED], "enabled": "false"}
    assert "nothing would change" in text_of(console(part=True).post(f"{RULES}/batch", everything))
    assert "1 rule will be switched off." in text_of(console().post(f"{RULES}/batch", chosen))


def test_a_batch_is_done_once_confirmed_and_offers_to_undo(console: Console, organisation: Organisation) -> None:
    client = console(part=True)
    chosen = {"event_type": [APPROVED, EXPORTED], "enabled": "false", "confirmed": "1", "back": f"{RULES}?q=approved"}
    answer = client.post(f"{RULES}/batch", chosen)
    assert answer["HX-Redirect"] == f"{RULES}?q=approved"
    assert not rule(organisation).enabled and not rule(organisation, EXPORTED).enabled
    page = client.get(f"{RULES}?q=approved", headers={"HX-Request": ""})
    assert "2 rules were switched off." in text_of(page)
    pairs = re.findall(r'name="rule" value="([^"]+)"', page.content.decode())
    assert pairs == [f"{APPROVED}:2", f"{EXPORTED}:2"]
    change(organisation, "carol", EXPORTED, additional_users=["bo"])
    answer = client.post(f"{RULES}/undo", {"rule": pairs, "back": f"{RULES}?q=approved"}, follow=True)
    said = text_of(client.get(RULES, headers={"HX-Request": ""})) + text_of(answer)
    assert "1 rule is as it was." in said
    assert "Data export: Approved was left alone: Carol has changed it since." in said
    assert rule(organisation).enabled and not rule(organisation, EXPORTED).enabled


@pytest.mark.parametrize("sent", [{}, {"rule": "nonsense"}, {"rule": f"{APPROVED}:x"}])
def test_an_undo_that_is_not_whole_is_refused(console: Console, sent: dict[str, str]) -> None:
    assert console().post(f"{RULES}/undo", sent).status_code == 422


def test_a_batch_of_nothing_is_refused(console: Console) -> None:
    assert console(part=True).post(f"{RULES}/batch", {"enabled": "true"}).status_code == 422


# modify


def test_the_dialog_shows_what_there_is_to_decide(console: Console, organisation: Organisation) -> None:
    change(organisation, optional_roles=["dba"], additional_users=["bo"])
    for said in (text_of(console(part=True).get(RULE)), text_of(console().get(RULE))):
        assert "Modify: Data change: Approved" in said
        assert "Default notification role Submitter whoever submitted the ticket" in said
        assert (
            "Optional notification role Approver" in said
            and "Instance DBA the DBA of each instance it is about" in said
        )
        assert "Additional notification User Bo" in said
    body = console(part=True).get(RULE).content.decode()
    assert re.findall(r'name="optional_roles" value="(\w+)" checked', body) == ["dba"]
    assert "<html" not in body and "<html" in console().get(RULE).content.decode()
    assert console().get("/console/rules/data_change.nope").status_code == 404


def sent(**changed: Any) -> dict[str, Any]:
    return {"enabled": "true", "optional_roles": [], "additional_users": [], "version": 1, "from": "list"} | changed


def test_a_confirmed_form_is_kept_and_its_row_follows(console: Console, organisation: Organisation) -> None:
    answer = console(part=True).post(RULE, sent(optional_roles=["dba"], additional_users=["bo", "eve"]))
    assert (answer["HX-Trigger"], answer["HX-Reswap"]) == ("close-dialog", "none")
    assert '<tr id="rule-data_change-approved" hx-swap-oob="true">' in answer.content.decode()
    assert "saved. It holds for every event from now on." in text_of(answer)
    kept = rule(organisation)
    assert (kept.enabled, kept.optional_roles, kept.additional_users) == (True, ("dba",), ("bo", "eve"))
    console().post(RULE, {"version": 2})
    kept = rule(organisation)
    assert (kept.enabled, kept.optional_roles, kept.additional_users) == (False, (), ())


def test_from_elsewhere_one_comes_back_there(console: Console) -> None:
    answer = console(part=True).post(RULE, sent(**{"from": "", "back": f"{RULE}/history"}))
    assert answer["HX-Redirect"] == f"{RULE}/history"


def test_what_does_not_fit_is_said_in_place_and_nothing_is_lost(console: Console) -> None:
    answer = console(part=True).post(RULE, sent(additional_users=["bo", "nobody"], optional_roles=["dba"]))
    body = answer.content.decode()
    assert answer.status_code == 422
    assert "Nobody who could be told has the login nobody" in body
    assert 'value="dba" checked' in body and 'name="additional_users" value="bo"' in body


def test_somebody_elses_edit_is_shown_beside_ones_own(console: Console, organisation: Organisation) -> None:
    change(organisation, "carol", additional_users=["eve"])
    change(organisation, "carol", optional_roles=["approver"])
    answer = console(part=True).post(RULE, sent(additional_users=["bo"]))
    body, said = answer.content.decode(), " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())
    assert answer.status_code == 409
    assert "Carol changed this rule while you were at it" in said
    # Both of carol's edits since this form was opened.
    assert "Optional notification role + added: Approver Additional notification User + added: Eve" in said
    mine = said.partition("this is what you change on top of it:")[2].partition("Take theirs")[0]
    assert "taken out: Approver" in mine and "added: Bo" in mine and "taken out: Eve" in mine
    assert 'name="version" value="3"' in body and 'name="additional_users" value="bo"' in body
    # Mine, then, on purpose.
    assert console(part=True).post(RULE, sent(additional_users=["bo"], version=3)).status_code == 200
    assert rule(organisation).additional_users == ("bo",)


def test_people_are_added_and_taken_out_without_losing_the_form(console: Console) -> None:
    part = console(part=True)
    answer = part.post(f"{RULE}/users", sent(additional_users=["bo"], add="eve", search="ev"))
    assert re.findall(r'name="additional_users" value="(\w+)"', answer.content.decode()) == ["bo", "eve"]
    assert answer["HX-Trigger-After-Settle"] == "rule-edited"
    answer = part.post(f"{RULE}/users", sent(additional_users=["bo", "eve"], remove="bo"))
    assert re.findall(r'name="additional_users" value="(\w+)"', answer.content.decode()) == ["eve"]
    # Without script the whole form comes back.
    whole = console().post(f"{RULE}/users", sent(optional_roles=["dba"], add="eve")).content.decode()
    assert 'value="dba" checked' in whole and 'name="additional_users" value="eve"' in whole and "<html" in whole


def test_whoever_types_finds_who_is_not_chosen_yet(console: Console, organisation: Organisation) -> None:
    organisation.add("bob")
    part = console(part=True)
    found = part.get(f"{RULES}/people", {"search": "bo", "additional_users": ["bo"], "event_type": APPROVED})
    assert re.findall(r'name="add" value="(\w+)"', found.content.decode()) == ["bob"]
    suggested = part.get(f"{RULES}/people", {"user": "bo"}).content.decode()
    assert re.findall(r'<option value="(\w+)">', suggested) == ["bo", "bob"]
    assert "Nobody else here is found by" in text_of(
        part.get(f"{RULES}/people", {"search": "zz", "event_type": APPROVED})
    )
    assert text_of(part.get(f"{RULES}/people", {"search": "  "})) == ""


def test_the_form_is_tried_on_what_happened(console: Console, organisation: Organisation, database: str) -> None:
    happen(organisation, database, event(type=APPROVED, people={"submitter": "ann"}))
    said = text_of(
        console(part=True).post(f"{RULE}/try", sent(optional_roles=["dba", "instance_dba"], additional_users=["bo"]))
    )
    assert "The last event of this type" in said and "3 told" in said
    assert "would be told too: Bo bo · Additional notification User" in said
    assert "Instance DBA leads to nobody in the event below." in said
    assert "Bo can be reached by the inbox here alone" in said
    off = text_of(console(part=True).post(f"{RULE}/try", {"version": 1}))
    assert "The rule is off: nobody is told" in off and "would no longer be told: Ann" in off


def test_without_an_event_an_example_is_tried_and_says_so(console: Console) -> None:
    said = text_of(console(part=True).post(f"{RULE}/try", sent(optional_roles=["data_owner"])))
    assert "an example stands in" in said and "Data Owner" in said and "Mark refunds of 11 November as settled" in said


def test_a_try_that_cannot_be_is_said_in_place(console: Console) -> None:
    assert "Nobody here has the login nobody" in text_of(
        console(part=True).post(f"{RULE}/try", sent(additional_users=["nobody"]))
    )


@pytest.mark.parametrize("version", ["", "x"])
def test_a_form_without_its_version_is_refused(console: Console, version: str) -> None:
    assert console().post(RULE, sent(version=version)).status_code == 422


# the past


def test_the_history_says_who_changed_what_and_leads_back(console: Console, organisation: Organisation) -> None:
    change(organisation, "carol", additional_users=["bo"], optional_roles=["dba"])
    change(organisation, enabled=False, additional_users=[])
    said = text_of(console().get(f"{RULE}/history"))
    assert "Root root Status on becomes off" in said.replace("→ ", "") and "taken out: Bo" in said
    assert "Carol carol Optional notification role + added: DBA" in said
    assert said.count("Restore this") == 2 and "as it is now" in said
    dialog = text_of(console(part=True).get(f"{RULE}/restore", {"version": 2}))
    assert "Restore: Data change: Approved" in dialog and "off" in dialog and "added: Bo" in dialog
    answer = console(part=True).post(f"{RULE}/restore", {"restore": 2, "version": 3})
    assert answer["HX-Redirect"] == f"{RULE}/history"
    kept = rule(organisation)
    assert (kept.enabled, kept.additional_users, kept.version) == (True, ("bo",), 4)
    assert "restored" in text_of(console().get(f"{RULE}/history"))
    console().post(f"{RULE}/restore", {"restore": 1, "version": 4})
    assert rule(organisation).changed is False


def test_a_rule_that_nobody_changed_has_no_past_and_says_so(console: Console) -> None:
    assert "Nobody has changed this rule yet" in text_of(console().get(f"{RULE}/history"))


def test_a_version_that_never_was_is_nowhere(console: Console) -> None:
    for version in ("9", "x", "", "9" * 30):
        assert console().get(f"{RULE}/restore", {"version": version}).status_code == 404


def test_who_cannot_come_back_is_named_before_and_after(console: Console, organisation: Organisation, api: Any) -> None:
    change(organisation, additional_users=["bo", "eve"])
    change(organisation, additional_users=[])
    api("root").delete("/users/bo")
    assert "left out: Bo" in text_of(console(part=True).get(f"{RULE}/restore", {"version": 2}))
    client = console()
    said = text_of(client.post(f"{RULE}/restore", {"restore": 2, "version": 3}, follow=True))
    assert "Without Bo: they cannot come back." in said
    assert rule(organisation).additional_users == ("eve",)


def test_a_restore_that_comes_too_late_does_nothing_and_says_who_was_quicker(
    console: Console, organisation: Organisation
) -> None:
    change(organisation, additional_users=["bo"])
    change(organisation, "carol", enabled=False)
    said = text_of(console().post(f"{RULE}/restore", {"restore": 1, "version": 2}, follow=True))
    assert "Nothing was restored: Carol has changed this rule meanwhile." in said
    assert rule(organisation).version == 3


def test_a_long_history_goes_by_pages_at_the_same_cost(console: Console, organisation: Organisation) -> None:
    client = console()
    for number in range(21):
        change(organisation, enabled=bool(number % 2), additional_users=["ann", "bo", "dan"][: number % 3 + 1])
    with queries() as many:
        first = client.get(f"{RULE}/history")
    following = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert following is not None
    with queries() as few:
        last = client.get(f"{RULE}/history{following[1]}")
    assert "How it was before all of these" in text_of(last)
    assert len(few) == len(many) <= 12
    assert client.get(f"{RULE}/history", {"cursor": "nonsense"}).status_code == 422


# everybody


def test_it_speaks_chinese(console: Console, organisation: Organisation) -> None:
    organisation.people["root"].language = "zh-hans"
    organisation.people["root"].save()
    said = text_of(console().get(RULES))
    assert "数据变更" in said and "审批通过" in said and "批量启用" in said
    assert "修改" in said and "Modify" not in said


def test_nothing_from_outside_becomes_markup(console: Console, organisation: Organisation, database: str) -> None:
    evil = "<img src=x onerror=alert(1)>"
    organisation.people["bo"].name = evil
    organisation.people["bo"].save()
    content = event(type=APPROVED, people={"submitter": "bo"})
    content["subject"]["title"] = evil
    [happened] = happen(organisation, database, content)
    change(organisation, additional_users=["bo"])
    pages = [
        console().get(RULES), console().get(RULE), console().get(f"{RULE}/history"),
        console(part=True).post(f"{RULE}/try", sent(additional_users=["bo"])),
        console(part=True).get(f"{RULES}/people", {"search": evil, "event_type": APPROVED}),
        console().get("/console/preview", {"event": str(happened)}),
    ]  # fmt: skip
    for answer in pages:
        assert answer.status_code == 200
        assert "<img src=x" not in answer.content.decode()


def test_another_tenants_rules_are_their_own(console: Console, organisation: Organisation) -> None:
    change(organisation, additional_users=["bo"])
    assert "Bo" not in text_of(console("mallory").get(RULE))
    assert console("mallory", part=True).post(RULE, sent(additional_users=["bo"])).status_code == 422
    console("mallory").post(f"{RULE}/switch", {"version": 1})
    assert rule(organisation).enabled is True


def test_a_rule_may_name_a_thousand_people(console: Console, organisation: Organisation) -> None:
    from tidings.accounts.models import Person

    logins = [f"p{number:04}" for number in range(1_000)]
    Person.objects.for_tenant(organisation.id).bulk_create(
        [Person(tenant=organisation.tenant, login=login, name=login.title()) for login in logins]
    )
    assert console(part=True).post(RULE, sent(additional_users=logins)).status_code == 200
    assert rule(organisation).additional_users == tuple(logins)
    assert "P0003 and 996 more" in text_of(console().get(RULES, {"q": APPROVED}))
    said = text_of(console(part=True).post(f"{RULE}/try", sent(additional_users=logins, version=2)))
    assert "and 971 more people" in said
    assert "P0000, P0001, P0002, P0003, P0004 and 995 more can be reached by the inbox here alone" in said
