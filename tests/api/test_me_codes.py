"""A person proves that a mail address is theirs, with six digits that were sent there."""

import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.api.given import at_once

from tidings.channels.send_aside import AT_ONCE, finish
from tidings.channels.testing.smtp_server import Step

ME = "/me/notification-settings"
CODE = "/me/contact-points/email/code"
VERIFY = "/me/contact-points/email/verify"
ANN = "ann@example.com"
NEW = {"address": "ann@new.example"}


def digits_of(mail: Any) -> str:
    [digits] = re.findall(r"\b\d{6}\b", mail.message.get_body(("plain",)).get_content())
    return str(digits)


def last_code(server: Any) -> str:
    return digits_of(server.taken[-1])


def other(digits: str) -> str:
    """A code that was not sent."""
    return f"{(int(digits) + 1) % 1_000_000:06}"


def rows(organisation: Any) -> list[Any]:
    from tidings.directory.models import Verification

    return list(Verification.objects.for_tenant(organisation.id).order_by("touched_at"))


def pass_time(organisation: Any, **span: float) -> None:
    """So much later: everything there was so much longer ago."""
    gone = timedelta(**span)
    for row in rows(organisation):
        row.sent_at = [sent - gone for sent in row.sent_at]
        row.expires_at = row.expires_at and row.expires_at - gone
        row.locked_until = row.locked_until and row.locked_until - gone
        row.touched_at -= gone
        row.save()


def verified(answer: Any) -> tuple[Any, bool]:
    assert answer.status == 200, answer.body
    return answer.body["email"], answer.body["channels"]["email"]["verified"]


def changes(organisation: Any, action: str, login: str = "ann") -> list[Any]:
    from tidings.audit.models import Change

    found = Change.objects.for_tenant(organisation.id).filter(kind="notification_settings", key=login, action=action)
    return list(found.order_by("id"))


# the code, there and back


def test_an_address_of_ones_own_is_verified_by_the_code_that_was_sent_there(
    api: Any, organisation: Any, mail: Any
) -> None:
    ann = api("ann")
    assert verified(ann.put(ME, {"methods": ["email"], "email": ANN})) == (ANN, False)
    asked = ann.post(CODE)
    assert (asked.status, asked.body["expires_in"]) == (202, 600)
    [arrived] = mail.taken
    assert arrived.recipient == ANN
    answer = ann.post(VERIFY, {"code": digits_of(arrived)})
    assert verified(answer) == (ANN, True)
    assert "note" not in answer.body
    assert ann.get(ME).body == answer.body
    assert ann.get(ME).etag == answer.etag
    [change] = changes(organisation, "verify")
    assert (change.actor, change.before["verified"], change.after["by"]) == ("ann", False, "code")
    assert ANN not in f"{change.before}{change.after}"


def test_nodes_hear_of_it(api: Any, organisation: Any, mail: Any) -> None:
    api("ann").post(CODE, NEW)
    organisation.tenant.refresh_from_db()
    before = organisation.tenant.directory_version
    api("ann").post(VERIFY, {"code": last_code(mail)})
    organisation.tenant.refresh_from_db()
    assert organisation.tenant.directory_version == before + 1


def test_a_new_address_takes_the_place_of_the_old_one_when_its_code_comes_back(
    api: Any, organisation: Any, mail: Any
) -> None:
    from tidings.directory.models import FormerAddress
    from tidings.kernel.secrets import unseal

    api("root").put("/users/ann/notification-settings", {"methods": ["email"], "email": ANN})
    ann = api("ann")
    assert ann.post(CODE, NEW).status == 202
    assert verified(ann.get(ME)) == (ANN, True)
    assert mail.taken[-1].recipient == NEW["address"]
    assert verified(ann.post(VERIFY, {"code": last_code(mail)})) == (NEW["address"], True)
    [former] = FormerAddress.objects.for_tenant(organisation.id)
    assert unseal(bytes(former.sealed)) == {"address": ANN}


def test_a_first_address_needs_no_settings_before(api: Any, mail: Any) -> None:
    assert api("ann").post(CODE, NEW).status == 202
    assert verified(api("ann").post(VERIFY, {"code": last_code(mail)})) == (NEW["address"], True)


def test_a_disabled_address_is_in_use_again_once_it_is_proven(api: Any, organisation: Any, mail: Any) -> None:
    from django.utils import timezone

    from tidings.directory.models import ContactPoint

    api("root").put("/users/ann/notification-settings", {"email": ANN})
    ContactPoint.objects.for_tenant(organisation.id).update(disabled_at=timezone.now(), disabled_reason="gone")
    api("ann").post(CODE)
    answer = api("ann").post(VERIFY, {"code": last_code(mail)})
    assert answer.body["channels"]["email"]["disabled"] is False


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "is your verification code. It holds for 10 minutes."), ("zh-hans", "是您的验证码，10 分钟内有效。")],
)
def test_the_mail_is_short_in_the_persons_language_and_offers_nothing_to_click(
    api: Any, organisation: Any, mail: Any, language: str, says: str
) -> None:
    organisation.people["ann"].language = language
    organisation.people["ann"].save()
    api("ann").post(CODE, NEW)
    [arrived] = mail.taken
    message, digits = arrived.message, last_code(mail)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert not {"List-Unsubscribe", "References", "In-Reply-To"} & set(message.keys())
    plain, page = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert plain.startswith(digits)
    assert f"{digits} {says}" in plain
    assert f"{digits} {says}" in page
    assert "http" not in plain
    assert "href" not in page
    # Servers write subjects into their logs.
    assert digits not in message["Subject"]


def test_addresses_are_normalised_and_what_cannot_be_one_is_said(api: Any, mail: Any) -> None:
    ann = api("ann")
    assert ann.post(CODE, {"address": " Ann@BÜCHER.example "}).status == 202
    assert mail.taken[-1].recipient == "Ann@xn--bcher-kva.example"
    assert verified(ann.post(VERIFY, {"code": last_code(mail)})) == ("Ann@xn--bcher-kva.example", True)
    for address in ("nobody", "a@b@c", "a@example.com\r\nBcc: b@example.com", "", "ann@example.com, bo@example.com"):
        answer = ann.post(CODE, {"address": address})
        assert (answer.status, answer.code, answer.body["errors"][0]["field"]) == (422, "invalid", "address"), address
    assert len(mail.taken) == 1


@pytest.mark.parametrize("typed", ["{0} {1}", " {0}{1} ", "full-width"])
def test_a_code_may_be_typed_as_people_type(api: Any, mail: Any, typed: str) -> None:
    api("ann").post(CODE, NEW)
    digits = last_code(mail)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
    given = wide if typed == "full-width" else typed.format(digits[:3], digits[3:])
    assert verified(api("ann").post(VERIFY, {"code": given})) == (NEW["address"], True)


@pytest.mark.parametrize("given", ["", "12345", "1234567", "abcdef", "-12345", "12 34", "١٢٣٤٥٦", "²²²²²²x"])
def test_what_is_no_code_is_no_try(api: Any, organisation: Any, mail: Any, given: str) -> None:
    api("ann").post(CODE, NEW)
    answer = api("ann").post(VERIFY, {"code": given})
    assert (answer.status, answer.code, answer.body["errors"][0]["field"]) == (422, "invalid", "code")
    assert rows(organisation)[0].wrong == 0


# what ends a code


def test_a_code_holds_for_ten_minutes(api: Any, organisation: Any, mail: Any) -> None:
    api("ann").post(CODE, NEW)
    pass_time(organisation, minutes=9, seconds=50)
    assert api("ann").post(VERIFY, {"code": other(last_code(mail))}).code == "wrong_code"
    pass_time(organisation, seconds=11)
    answer = api("ann").post(VERIFY, {"code": last_code(mail)})
    assert (answer.status, answer.code) == (422, "code_expired")
    assert api("ann").get(ME).body["email"] is None


def test_a_new_code_ends_the_old_one_whichever_address_it_is_for(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    ann.post(CODE, NEW)
    pass_time(organisation, minutes=1)
    ann.post(CODE, NEW)
    ann.post(CODE, {"address": "third@example.com"})
    first, second, third = map(digits_of, mail.taken)
    for old in {first, second} - {third}:
        assert ann.post(VERIFY, {"code": old}).code == "wrong_code"
    assert verified(ann.post(VERIFY, {"code": third})) == ("third@example.com", True)


def test_a_code_is_good_once(api: Any, mail: Any) -> None:
    api("ann").post(CODE, NEW)
    assert api("ann").post(VERIFY, {"code": last_code(mail)}).status == 200
    assert api("ann").post(VERIFY, {"code": last_code(mail)}).code == "code_expired"


def test_without_a_code_under_way_there_is_nothing_to_guess(api: Any) -> None:
    assert api("ann").post(VERIFY, {"code": "123456"}).code == "code_expired"


@pytest.mark.parametrize(
    ("login", "path", "body"),
    [
        ("ann", ME, {"email": "ann@else.example"}),
        ("ann", ME, {"email": None}),
        ("root", "/users/ann/notification-settings", {"email": "ann@else.example"}),
        ("root", "/users/ann", {"email": "ann@else.example"}),
    ],
)
def test_whoever_decides_anew_ends_the_code(api: Any, mail: Any, login: str, path: str, body: Any) -> None:
    api("root").put("/users/ann", {"email": ANN})
    api("ann").post(CODE, NEW)
    api(login).put(path, body)
    assert api("ann").post(VERIFY, {"code": last_code(mail)}).code == "code_expired"


def test_who_comes_back_under_a_login_finds_no_code_waiting(api: Any, organisation: Any, mail: Any) -> None:
    from tidings.accounts.tokens import create_token

    api("ann").post(CODE, NEW)
    api("root").delete("/users/ann")
    api("root").put("/users/ann", {"name": "Another Ann"})
    _, token = create_token(organisation.caller("ann"), person=organisation.people["ann"])
    assert api(token=token).post(VERIFY, {"code": last_code(mail)}).code == "code_expired"


def test_a_code_is_worth_nothing_to_anybody_else(api: Any, mail: Any) -> None:
    same = {"address": "shared@example.com"}
    api("ann").post(CODE, same)
    anns = last_code(mail)
    api("bo").post(CODE, same)
    assert anns != last_code(mail)
    assert api("bo").post(VERIFY, {"code": anns}).code == "wrong_code"
    assert api("dan").post(VERIFY, {"code": anns}).code == "code_expired"
    assert api("mallory").post(VERIFY, {"code": anns}).code == "code_expired"
    assert verified(api("ann").post(VERIFY, {"code": anns})) == ("shared@example.com", True)


def test_the_hash_of_one_persons_code_fits_no_other_person(api: Any, organisation: Any, mail: Any) -> None:
    """Even in the database: the hash is bound to whom and for what it was made."""
    api("ann").post(CODE, NEW)
    anns = last_code(mail)
    api("bo").post(CODE, {"address": "bo@example.com"})
    ours, theirs = rows(organisation)
    ours_code, ours.code, ours.expires_at = ours.code, None, None
    ours.save()
    theirs.code = ours_code
    theirs.save()
    assert api("bo").post(VERIFY, {"code": anns}).code == "wrong_code"


def test_a_code_outlives_a_change_of_keys(
    api: Any, organisation: Any, mail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidings.kernel import secrets
    from tidings.kernel.settings import settings

    def keys(*keys: str) -> None:
        monkeypatch.setenv("TIDINGS_SECRET_KEYS", ",".join(keys))
        settings.cache_clear()
        secrets._fernet.cache_clear()

    old = settings().secret_keys[0]
    try:
        api("ann").post(CODE, NEW)
        keys("f" * 32, old)
        assert api("ann").post(CODE, NEW).code == "too_many_codes"
        assert verified(api("ann").post(VERIFY, {"code": last_code(mail)})) == (NEW["address"], True)
        assert len(rows(organisation)) == 1
        pass_time(organisation, minutes=1)
        api("ann").post(CODE, NEW)
        keys("e" * 32)
        assert api("ann").post(VERIFY, {"code": last_code(mail)}).code == "code_expired"
    finally:
        keys(old)
        monkeypatch.undo()


# limits


def retry_after(answer: Any, code: str = "too_many_codes") -> int:
    assert (answer.status, answer.code) == (429, code), answer.body
    return int(answer.headers["Retry-After"])


def test_one_code_a_minute_five_an_hour_ten_a_day(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    for number in range(1, 11):
        assert ann.post(CODE, NEW).status == 202, number
        if number % 5:
            assert 58 <= retry_after(ann.post(CODE, NEW)) <= 60
            pass_time(organisation, minutes=1)
        elif number == 5:
            assert 55 * 60 <= retry_after(ann.post(CODE, NEW)) <= 56 * 60
            pass_time(organisation, hours=1)
    wait = retry_after(ann.post(CODE, NEW))
    assert 22 * 3600 <= wait <= 23 * 3600
    assert len(mail.taken) == 10
    pass_time(organisation, seconds=wait)
    assert ann.post(CODE, NEW).status == 202


def test_limits_are_of_a_person_and_an_address(api: Any, mail: Any) -> None:
    assert api("ann").post(CODE, NEW).status == 202
    assert api("ann").post(CODE, {"address": "ANN@new.example"}).code == "too_many_codes"
    assert api("ann").post(CODE, {"address": "other@new.example"}).status == 202
    assert api("bo").post(CODE, NEW).status == 202


def test_a_limit_is_not_lifted_by_what_becomes_of_a_code(api: Any, mail: Any) -> None:
    api("ann").post(CODE, NEW)
    api("ann").post(VERIFY, {"code": last_code(mail)})
    api("ann").put(ME, {"email": None})
    assert api("ann").post(CODE, NEW).code == "too_many_codes"


def test_a_hundred_codes_a_day_for_a_tenant(api: Any, organisation: Any, mail: Any) -> None:
    from tidings.directory.models import Verification

    api("bo").post(CODE, NEW)
    row = rows(organisation)[0]
    # Ten addresses took ten codes each within the last day, but for one that is still free.
    for number in range(10):
        sent = [row.touched_at - timedelta(hours=23 - each) for each in range(10 if number else 8)]
        Verification.objects.create(
            tenant=organisation.tenant, person=organisation.people["bo"], channel="email", address=bytes([number] * 32),
            sealed=b"", sent_at=sent, touched_at=sent[-1],
        )  # fmt: skip
    assert api("ann").post(CODE, NEW).status == 202
    wait = retry_after(api("ann").post(CODE, {"address": "one@more.example"}))
    assert 0 < wait <= 3600
    assert api("dan").post(CODE, NEW).status == 429
    assert api("mallory").post(CODE, NEW).code == "channel_off"
    pass_time(organisation, seconds=wait)
    assert api("dan").post(CODE, NEW).status == 202


def lock(api: Any, login: str, server: Any) -> None:
    api(login).post(CODE, NEW)
    for left in (4, 3, 2, 1, None):
        answer = api(login).post(VERIFY, {"code": other(last_code(server))})
        assert (answer.status, answer.code) == (422, "wrong_code")
        assert (f"{left} more" if left else "No more") in answer.body["detail"]


def test_five_wrong_tries_lock_the_address_for_an_hour(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    lock(api, "ann", mail)
    wait = retry_after(ann.post(VERIFY, {"code": last_code(mail)}), "locked")
    assert 3590 <= wait <= 3600
    assert retry_after(ann.post(CODE, NEW), "locked") <= 3600
    [change] = changes(organisation, "lock_address")
    assert change.after["address"] == "a***@new.example"
    pass_time(organisation, minutes=59)
    assert ann.post(CODE, NEW).code == "locked"
    pass_time(organisation, minutes=1, seconds=1)
    assert ann.post(VERIFY, {"code": last_code(mail)}).code == "code_expired"
    assert ann.post(CODE, NEW).status == 202
    assert ann.post(VERIFY, {"code": other(last_code(mail))}).body["detail"].count("4 more") == 1
    assert verified(ann.post(VERIFY, {"code": last_code(mail)})) == (NEW["address"], True)


def test_wrong_tries_count_over_codes(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    for _ in range(2):
        ann.post(CODE, NEW)
        for _ in range(2):
            assert ann.post(VERIFY, {"code": other(last_code(mail))}).code == "wrong_code"
        pass_time(organisation, minutes=1)
    ann.post(CODE, NEW)
    assert "No more" in ann.post(VERIFY, {"code": other(last_code(mail))}).body["detail"]
    assert ann.post(VERIFY, {"code": last_code(mail)}).code == "locked"


def test_a_lock_is_nobody_elses(api: Any, mail: Any) -> None:
    lock(api, "ann", mail)
    assert api("bo").post(CODE, NEW).status == 202
    assert verified(api("bo").post(VERIFY, {"code": last_code(mail)})) == (NEW["address"], True)
    api("ann").post(CODE, {"address": "ann@third.example"})
    assert verified(api("ann").post(VERIFY, {"code": last_code(mail)})) == ("ann@third.example", True)


def test_success_begins_the_count_anew(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    for _ in range(2):
        ann.post(CODE, NEW)
        for _ in range(4):
            assert ann.post(VERIFY, {"code": other(last_code(mail))}).code == "wrong_code"
        assert ann.post(VERIFY, {"code": last_code(mail)}).status == 200
        pass_time(organisation, minutes=1)


def test_tries_at_the_same_time_all_count(organisation: Any, api: Any, mail: Any) -> None:
    from tidings.preferences.verify import verify

    api("ann").post(CODE, NEW)
    wrong, caller = other(last_code(mail)), organisation.caller("ann")
    answers = at_once(*[lambda: verify(caller, "email", wrong)] * 8)
    assert sorted(map(str, answers)) == ["locked"] * 3 + ["wrong_code"] * 5


def test_a_code_that_comes_twice_at_once_counts_once(organisation: Any, api: Any, mail: Any) -> None:
    from tidings.preferences.verify import verify

    api("ann").post(CODE, NEW)
    right, caller = last_code(mail), organisation.caller("ann")
    answers = at_once(*[lambda: verify(caller, "email", right).points["email"].verified] * 3)
    assert sorted(map(str, answers)) == ["True", "code_expired", "code_expired"]
    assert len(changes(organisation, "verify")) == 1


def test_of_requests_at_the_same_time_one_is_counted(organisation: Any, api: Any, mail: Any) -> None:
    """On two nodes; within one, the second hears that it is busy."""
    from tidings.channels.registry import CHANNELS
    from tidings.kernel.clock import now
    from tidings.preferences.send_code import _issue

    def issue() -> bool:
        return bool(_issue(organisation.id, "ann", CHANNELS["email"], NEW, now()))

    assert sorted(map(str, at_once(*[issue] * 4))) == ["True"] + ["too_many_codes"] * 3
    assert len(rows(organisation)[0].sent_at) == 1


def test_what_a_day_has_passed_over_is_forgotten(organisation: Any, api: Any, mail: Any, database: str) -> None:
    import asyncio

    from tidings.directory.forget import forget_verifications
    from tidings.kernel.database import connect

    async def keep_house() -> None:
        connection = await connect(database, name="test")
        await forget_verifications(connection)
        await connection.close()

    lock(api, "ann", mail)
    pass_time(organisation, hours=23)
    asyncio.run(keep_house())
    assert len(rows(organisation)) == 1
    pass_time(organisation, hours=1, seconds=1)
    asyncio.run(keep_house())
    assert rows(organisation) == []


# what nobody may learn


def test_the_answer_is_the_same_whatever_becomes_of_the_mail(api: Any, organisation: Any, mail: Any) -> None:
    mail.script = {
        "gone@example.com": [Step("550 5.1.1 <gone@example.com>: no such user")],
        "busy@example.com": [Step("451 4.7.1 Try again later")],
        "cut@example.com": [Step(manner="drop")],
    }
    api("root").put("/users/bo/notification-settings", {"email": "bo@example.com"})
    addresses = ["ann@example.com", "bo@example.com", "gone@example.com", "busy@example.com", "cut@example.com"]
    answers = [api("ann").post(CODE, {"address": address}) for address in addresses]
    assert {(answer.status, str(answer.body)) for answer in answers} == {(202, str(answers[0].body))}
    # The record knows, for administrators.
    outcomes = [(change.after["outcome"], change.after["reason"]) for change in changes(organisation, "send_code")]
    assert outcomes == [
        ("sent", ""), ("sent", ""), ("refused", "no_such_address"), ("try_later", "try_again_later"),
        ("try_later", "result_unknown"),
    ]  # fmt: skip


def test_a_code_that_was_not_sent_is_counted_too(api: Any, mail: Any) -> None:
    mail.script = {NEW["address"]: [Step("550 5.1.1 no such user")]}
    assert api("ann").post(CODE, NEW).status == 202
    assert api("ann").post(CODE, NEW).code == "too_many_codes"


def test_no_code_and_no_hash_is_seen_anywhere(
    api: Any, organisation: Any, mail: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from tidings.audit.models import Change

    caplog.set_level(logging.DEBUG)
    ann, told = api("ann"), []
    told.append(ann.post(CODE, NEW))
    digits = last_code(mail)
    told += [
        ann.post(VERIFY, {"code": other(digits)}),
        ann.get(ME),
        api("root").get("/users/ann/notification-settings"),
    ]
    [row] = rows(organisation)
    hashes = [bytes(row.code).hex(), bytes(row.address).hex()]
    stored = repr([vars(row), [bytes(value) for value in (row.code, row.address, row.sealed)]])
    told.append(ann.post(VERIFY, {"code": digits}))
    lines = "".join(
        f"{record.getMessage()} {vars(record)}" for record in caplog.records if not record.name.startswith("mail")
    )
    audit = "".join(f"{change.before}{change.after}" for change in Change.objects.for_tenant(organisation.id))
    for text in (*(str((answer.body, dict(answer.headers))) for answer in told), lines, audit, stored):
        assert not re.search(rf"(?<!\d){digits}(?!\d)", text)
    for text in (*(str(answer.body) for answer in told), lines, audit):
        assert not [secret for secret in hashes if secret in text]
    assert NEW["address"] not in stored + audit


# who may, and when


def test_channels_without_codes_say_what_to_do_instead(api: Any) -> None:
    answer = api("ann").post("/me/contact-points/webhook/code")
    assert (answer.status, answer.code) == (409, "verified_otherwise")
    assert "/me/contact-points/webhook/test" in answer.body["detail"]
    assert api("ann").post("/me/contact-points/webhook/verify", {"code": "123456"}).code == "verified_otherwise"
    assert api("ann").post("/me/contact-points/pigeon/code").status == 404
    assert api("ann").post("/me/contact-points/pigeon/verify", {"code": "123456"}).status == 404


def test_nothing_is_sent_on_a_channel_that_is_off_or_to_an_address_that_is_not_there(api: Any, mail: Any) -> None:
    answer = api("ann").post(CODE)
    assert (answer.status, answer.code) == (409, "contact_missing")
    assert api("ann").post(CODE, {}).code == api("ann").post(CODE, {"address": None}).code == "contact_missing"
    api("root").put("/channels/email", {"enabled": False})
    answer = api("ann").post(CODE, NEW)
    assert (answer.status, answer.code) == (409, "channel_off")
    assert mail.mails == []


def test_only_people_may_and_only_with_a_token_that_writes(api: Any, organisation: Any, mail: Any) -> None:
    from tidings.accounts.tokens import create_token

    _, reading = create_token(organisation.caller("ann"), person=organisation.people["ann"], scopes=["read"])
    for client, status in ((api(token=""), 401), (api(source="dms"), 403), (api(token=reading), 403)):
        assert client.post(CODE, NEW).status == status
        assert client.post(VERIFY, {"code": "123456"}).status == status
    assert mail.mails == []


@pytest.mark.parametrize("body", [[], "x", {"adress": "ann@example.com"}, {"address": 7}, {"address": "a\0@b.example"}])
def test_a_body_of_another_shape_is_refused(api: Any, mail: Any, body: Any) -> None:
    assert api("ann").post(CODE, body).status == 422
    assert mail.mails == []


@pytest.mark.parametrize("body", [None, {}, {"code": 123456}, {"code": None}, {"code": "1" * 501}])
def test_a_code_is_a_text(api: Any, body: Any) -> None:
    assert api("ann").post(VERIFY, body).status in (400, 422)


def test_nothing_can_be_told_from_how_long_an_answer_takes(api: Any, organisation: Any, mail: Any) -> None:
    """A server that takes its time for an address it knows keeps nobody waiting: neither who asked nor anybody else."""
    mail.script = {NEW["address"]: [Step(manner="hang")]}
    ann, bo, root = api("ann"), api("bo"), api("root")
    began = time.monotonic()
    assert ann.post(CODE, NEW, wait=False).status == 202
    _until(lambda: mail.open > 0)
    assert bo.post(CODE, {"address": "bo@example.com"}, wait=False).status == 202
    assert root.put("/users/ann", {"name": "Ann Li"}).status == 200
    assert root.put("/tenant", {"language": "en"}).status == 200
    _until(lambda: bool(changes(organisation, "send_code", "bo")))
    assert time.monotonic() - began < 5
    assert [taken.recipient for taken in mail.taken] == ["bo@example.com"]
    assert changes(organisation, "send_code") == []
    mail.cut_connections()
    finish(begun_only=False)
    [change] = changes(organisation, "send_code")
    assert change.after["outcome"] == "try_later"


def test_a_node_that_stops_sends_what_has_begun_and_says_so_of_the_rest(api: Any, organisation: Any, mail: Any) -> None:
    slow = [f"slow{number}@new.example" for number in range(AT_ONCE)]
    mail.script = {address: [Step(manner="hang")] for address in slow}
    for address in (*slow, "late@new.example"):
        assert api("ann").post(CODE, {"address": address}, wait=False).status == 202
    _until(lambda: mail.open == AT_ONCE)
    threading.Timer(0.5, mail.cut_connections).start()
    finish(begun_only=True)
    reasons = [change.after["reason"] for change in changes(organisation, "send_code")]
    assert (reasons.count("node_stopped"), len(reasons)) == (1, AT_ONCE + 1)


def _until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("never happened")


def test_where_one_stands_with_a_code_can_be_asked(api: Any, organisation: Any, mail: Any) -> None:
    ann = api("ann")
    assert ann.get(CODE).body == {"under_way": None}
    ann.post(CODE, NEW)
    state = ann.get(CODE).body["under_way"]
    assert (state["address"], state["tries_left"], state["locked_until"]) == ("a***@new.example", 5, None)
    digits = last_code(mail)
    ann.post(VERIFY, {"code": other(digits)})
    assert ann.get(CODE).body["under_way"]["tries_left"] == 4
    assert api("bo").get(CODE).body == {"under_way": None}
    for _ in range(4):
        ann.post(VERIFY, {"code": other(digits)})
    state = ann.get(CODE).body["under_way"]
    assert state["again_at"] == state["locked_until"] is not None
    # The lock outlives the code.
    pass_time(organisation, minutes=20)
    assert ann.get(CODE).body["under_way"]["locked_until"]
    pass_time(organisation, minutes=60)
    assert ann.get(CODE).body == {"under_way": None}
    ann.post(CODE, NEW)
    assert ann.post(VERIFY, {"code": last_code(mail)}).status == 200
    assert ann.get(CODE).body == {"under_way": None}
    assert ann.get(CODE.replace("email", "webhook")).code == "verified_otherwise"
