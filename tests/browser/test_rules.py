"""An administrator finds a rule, changes it, sees who will be told, and can trust it."""

from typing import Any

import pytest
from tests.browser.conftest import PHONE, Open, barriers
from tests.delivery.given import event, in_django
from tests.scenarios.stage import Stage

APPROVED = "data_change.approved"
RULES = "/console/rules"


def approved(**people: Any) -> dict[str, Any]:
    return event(type=APPROVED, people={"submitter": "ann"} | people)


def change(stage: Stage, login: str, **wanted: Any) -> Any:
    from tidings.kernel.versions import Expected
    from tidings.rules.change import Wanted, change_rule

    return change_rule(stage.organisation.caller(login), APPROVED, Wanted(**wanted), Expected())


async def focused(page: Any) -> str:
    return str(await page.evaluate("document.activeElement?.id"))


async def test_a_rule_is_found_and_changed_and_the_next_event_follows_it(open_page: Open, stage: Stage) -> None:
    await stage.post(approved())
    page = await open_page("root", RULES)
    await page.get_by_label("Search").fill("change approved")
    await page.wait_for_url("**/console/rules?q=change+approved")
    assert await page.locator("tr[id^=rule-]").count() == 1

    await page.locator("#modify-data_change-approved").click()
    dialog = page.get_by_role("dialog", name="Modify: Data change: Approved")
    await dialog.get_by_text("Nothing would change for these people.").wait_for()
    await dialog.get_by_label("Add somebody").fill("da")
    await dialog.get_by_role("button", name="Add Dan").click()
    await dialog.get_by_text("would be told too: Dan").first.wait_for(state="attached")
    await dialog.get_by_label("DBA everybody who is a DBA here").check()
    await dialog.get_by_text("would be told too: Carol").first.wait_for(state="attached")
    await dialog.get_by_role("button", name="Confirm").click()
    await dialog.wait_for(state="hidden")

    row = await page.locator("#rule-data_change-approved").get_by_role("listitem").all_inner_texts()
    assert [each.strip() for each in row] == ["Submitter", "DBA", "Dan"]
    assert await focused(page) == "modify-data_change-approved"
    assert "saved" in await page.locator("#messages").inner_text()
    [told] = await stage.post(approved())
    await stage.over()
    record = await stage.record(told)
    assert [one["login"] for one in record["recipients"]] == ["ann", "carol", "dan"]
    assert len(await stage.messages("dan")) == 1


async def test_a_batch_is_switched_off_and_taken_back(open_page: Open, stage: Stage) -> None:
    page = await open_page("carol", f"{RULES}?feature=data_change")
    disable = page.get_by_role("button", name="Batch disable")
    assert await disable.is_disabled()
    await page.get_by_label("Select all of Data change").check()
    await disable.click()
    dialog = page.get_by_role("dialog", name="Batch disable")
    await dialog.get_by_text("9 rules will be switched off.").wait_for()
    await dialog.get_by_role("button", name="Confirm").click()
    await page.get_by_text("9 rules were switched off.").wait_for()
    [silent] = await stage.post(approved())
    assert (await stage.record(silent))["skips"] == [{"reason": "rule_off"}]

    await page.get_by_role("button", name="Undo").click()
    await page.get_by_text("9 rules are as they were.").wait_for()
    assert page.url.endswith("?feature=data_change")
    [told] = await stage.post(approved())
    assert [one["login"] for one in (await stage.record(told))["recipients"]] == ["ann"]


async def test_a_switch_works_with_the_keyboard_and_somebody_elses_edit_is_not_lost(
    open_page: Open, stage: Stage
) -> None:
    page = await open_page("root", f"{RULES}?q={APPROVED}")
    await page.focus("#switch-data_change-approved")
    await page.keyboard.press("Space")
    await page.get_by_text("Data change: Approved is off: nobody is told.").wait_for()
    assert await focused(page) == "switch-data_change-approved"

    await in_django(lambda: change(stage, "carol", additional_users=["eve"]))
    await page.keyboard.press("Space")
    dialog = page.get_by_role("dialog", name="Somebody was quicker")
    await dialog.get_by_text("You were about to switch it on.").wait_for()
    assert "Eve" in await dialog.inner_text()
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="hidden")
    # What the page shows is what there is.
    assert not await page.locator("#switch-data_change-approved").is_checked()
    assert "Eve" in await page.locator("#rule-data_change-approved").inner_text()
    await page.locator("#switch-data_change-approved").check()
    await page.get_by_text("Data change: Approved is on.").wait_for()


async def test_two_who_modify_at_once_see_each_others_edit(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", f"{RULES}?q={APPROVED}")
    await page.locator("#modify-data_change-approved").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Instance DBA").check()
    await in_django(lambda: change(stage, "carol", additional_users=["eve"]))
    await dialog.get_by_role("button", name="Confirm").click()
    await dialog.get_by_text("changed this rule while you were at it").wait_for()
    await dialog.get_by_role("button", name="Take theirs").or_(dialog.get_by_role("link", name="Take theirs")).click()
    await dialog.get_by_role("button", name="Take out Eve").wait_for()
    assert not await dialog.get_by_label("Instance DBA").is_checked()
    await dialog.get_by_label("Instance DBA").check()
    await dialog.get_by_role("button", name="Confirm").click()
    await dialog.wait_for(state="hidden")
    row = await page.locator("#rule-data_change-approved").inner_text()
    assert "Instance DBA" in row and "Eve" in row


async def test_a_rule_goes_back_to_how_it_was(open_page: Open, stage: Stage) -> None:
    await in_django(lambda: change(stage, "carol", enabled=False))
    page = await open_page("root", f"{RULES}/{APPROVED}/history")
    await page.get_by_role("link", name="Restore this").click()
    dialog = page.get_by_role("dialog", name="Restore: Data change: Approved")
    await dialog.get_by_role("heading", name="Who would have been told").wait_for()
    await dialog.get_by_role("button", name="Confirm").click()
    await page.get_by_text("Data change: Approved is as it was then.").wait_for()
    assert await page.get_by_role("link", name="Restore this").count() == 2


async def test_who_would_be_told_of_what_happened_and_what_they_would_read(open_page: Open, stage: Stage) -> None:
    content = event(type="data_change.pending_approval", people={"submitter": "ann", "approvers": ["bo", "zoe"]})
    content["subject"]["title"] = "Add an index on orders"
    await stage.post(content)
    page = await open_page("carol", "/console/preview")
    await page.get_by_role("link", name="Add an index on orders").click()
    result = page.locator("#result")
    await result.get_by_text("Bo", exact=True).first.wait_for()
    assert "zoe" in await result.inner_text()
    await result.get_by_text("What Bo would read").click()
    headline = "Data change waits for approval, nothing has run yet: Add an index on orders"
    await result.locator(".message-headline", has_text=headline).wait_for()
    written = page.get_by_label("As its source would send it")
    await written.fill((await written.input_value()).replace('"zoe"', '"dan"'))
    await page.get_by_role("button", name="Who would be told?").click()
    await result.get_by_text("What Dan would read").wait_for()
    assert "zoe" not in await result.inner_text()
    await written.fill("{")
    await page.get_by_role("button", name="Who would be told?").click()
    await result.get_by_text("This event would be refused").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_these_pages_are_open_to_everyone(open_page: Open, stage: Stage, scheme: str, phone: bool) -> None:
    [happened] = await stage.post(approved(approvers=["zoe"]))
    await in_django(lambda: change(stage, "carol", optional_roles=["instance_dba"], additional_users=["eve", "bo"]))
    await in_django(lambda: change(stage, "root", enabled=False))
    size = {"size": PHONE} if phone else {}
    page = await open_page("root", RULES, color_scheme=scheme, **size)
    for path in (f"{RULES}?q=data+change", f"{RULES}/{APPROVED}/history", f"/console/preview?event={happened}"):
        await page.goto(path)
        assert await barriers(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    await page.goto(f"{RULES}?q={APPROVED}")
    await page.locator("#modify-data_change-approved").click()
    await page.locator("dialog .tried-event").first.wait_for()
    assert await barriers(page) == []


async def test_without_script_everything_works_by_plain_forms(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", f"{RULES}?q={APPROVED}", java_script_enabled=False)
    await page.locator("#modify-data_change-approved").click()
    await page.get_by_label("Instance DBA").check()
    await page.get_by_role("button", name="Confirm").click()
    await page.wait_for_url(f"**{RULES}?q={APPROVED}")
    assert "Instance DBA" in await page.locator("#rule-data_change-approved").inner_text()
    await page.get_by_label("Select Data change: Approved").check()
    await page.get_by_role("button", name="Batch disable").click()
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_text("1 rule is as it was.").wait_for()
