"""Which methods a person wants, and where each leads: an administrator's word, or their own choice."""

from typing import Any

import pytest

URL = "https://hooks.example.com/in/secret-path-of-ann"
SHOWN = "https://hooks.example.com/…"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
MASK = "********"
PATH = "/users/ann/notification-settings"
ME = "/me/notification-settings"


def _point(organisation: Any, channel: str, login: str = "ann") -> Any:
    from tidings.directory.models import ContactPoint

    return ContactPoint.objects.for_tenant(organisation.id).filter(person__login=login, channel=channel).first()


def _values(organisation: Any, channel: str, login: str = "ann") -> Any:
    from tidings.kernel.secrets import unseal

    return unseal(bytes(_point(organisation, channel, login).sealed))


def _lead(organisation: Any, channel: str, mobile: str) -> None:
    from tidings.kernel.secrets import seal

    point = _point(organisation, channel)
    point.sealed = seal({"mobile": mobile})
    point.save()


def _disable(organisation: Any, channel: str, reason: str = "gone") -> None:
    from django.utils import timezone

    point = _point(organisation, channel)
    point.disabled_at, point.disabled_reason, point.version = timezone.now(), reason, point.version + 1
    point.save()


def _standing(answer: Any, channel: str) -> tuple[bool, bool]:
    standing = answer.body["channels"][channel]
    return standing["verified"], standing["disabled"]


# an administrator's word


def test_nobody_has_any_at_first(api: Any) -> None:
    answer = api("root").get(PATH)
    assert (answer.status, answer.body["methods"], answer.body["email"], answer.body["webhook"]) == (
        200,
        [],
        None,
        None,
    )
    nothing = {"address": None, "verified": False, "disabled": False, "disabled_reason": None, "enabled": False}
    assert answer.body["channels"]["email"] == answer.body["channels"]["webhook"] == nothing
    assert "note" not in answer.body


def test_a_method_whose_package_was_taken_away_is_neither_shown_nor_lost(api: Any, organisation: Any) -> None:
    ann = organisation.people["ann"]
    ann.methods = ["pigeon", "webhook"]
    ann.save()
    shown = api("ann").get(ME)
    assert shown.body["methods"] == ["webhook"]
    again = api("ann").put(ME, shown.body)
    assert (again.status, again.etag) == (200, shown.etag)
    assert api("ann").put(ME, {"methods": ["email"]}).body["methods"] == ["email"]
    ann.refresh_from_db()
    assert ann.methods == ["email", "pigeon"]


def test_a_webhook_may_speak_as_dms_with_a_key_as_dms_takes_them(api: Any, organisation: Any) -> None:
    body = {"methods": ["webhook"], "webhook": {"url": URL, "secret": "my dms key", "format": "dms"}}
    answer = api("root").put(PATH, body)
    assert (answer.status, answer.body["webhook"]["format"]) == (200, "dms")
    stored = {"url": URL, "secret": "my dms key", "format": "dms"}
    assert _values(organisation, "webhook") == stored
    # What was read can be written back; the key of the one format is none of the other.
    assert api("root").put(PATH, answer.body).status == 200
    assert _values(organisation, "webhook") == stored
    again = api("root").put(PATH, {"webhook": {**answer.body["webhook"], "format": "standard"}})
    assert (again.status, [error["field"] for error in again.body["errors"]]) == (422, ["webhook.secret"])


def test_an_administrator_writes_and_it_is_verified(api: Any, organisation: Any) -> None:
    body = {"methods": ["webhook", "email"], "email": "Ann@EXAMPLE.com", "webhook": {"url": URL, "secret": SECRET}}
    answer = api("root").put(PATH, body)
    assert answer.status == 200
    assert (answer.body["methods"], answer.body["email"]) == (["webhook", "email"], "Ann@example.com")
    webhook = {"url": SHOWN, "format": "standard", "secret": MASK, "previous_secret": None}
    assert answer.body["webhook"] == webhook
    assert answer.body["channels"]["email"]["address"] == "A***@example.com"
    assert answer.body["channels"]["webhook"]["address"] == SHOWN
    assert _standing(answer, "email") == _standing(answer, "webhook") == (True, False)
    assert api("root").get(PATH).body == api("ann").get(ME).body == answer.body
    point = _point(organisation, "webhook")
    assert point.destination == "hooks.example.com:443"
    assert b"secret-path" not in bytes(point.sealed)


def test_a_mobile_is_kept_as_e164_and_shown_masked(api: Any, organisation: Any) -> None:
    answer = api("root").put(PATH, {"methods": ["sms"], "mobile": "+86 138-1234-1234"})
    assert (answer.status, answer.body["methods"], answer.body["mobile"]) == (200, ["sms"], "+8613812341234")
    assert (answer.body["channels"]["sms"]["address"], _standing(answer, "sms")) == ("+86 138****1234", (True, False))
    assert _values(organisation, "sms") == {"mobile": "+8613812341234"}
    settings = {"provider": "aliyun", "access_key_id": "k", "access_key_secret": "s", "sign_name": "n"}
    api("root").put("/channels/sms", {"enabled": True, "settings": settings | {"template_code": "SMS_1"}})
    assert _point(organisation, "sms").destination == "dysmsapi.aliyuncs.com:443"
    [error] = api("root").put(PATH, {"mobile": "13812341234"}).body["errors"]
    assert (error["field"], "+86" in error["problem"]) == ("mobile", True)
    assert api("root").put(PATH, {"mobile": None}).body["mobile"] is None


def test_the_mobile_of_the_user_is_there_already(api: Any) -> None:
    api("root").put("/users/ann", {"mobile": "+8613812341234"})
    answer = api("ann").put(ME, {"methods": ["sms"]})
    assert (answer.body["mobile"], _standing(answer, "sms")) == ("+8613812341234", (True, False))
    assert _standing(api("ann").put(ME, {"mobile": "+8613812340000"}), "sms") == (False, False)


def test_put_accepts_what_get_answers_and_changes_nothing(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    root = api("root")
    first = root.put(PATH, {"methods": ["webhook"], "webhook": {"url": URL, "secret": SECRET}})
    changes = Change.objects.for_tenant(organisation.id).count()
    again = root.put(PATH, root.get(PATH).body)
    assert (again.status, again.etag, again.body) == (200, first.etag, first.body)
    assert _values(organisation, "webhook")["secret"] == SECRET
    assert Change.objects.for_tenant(organisation.id).count() == changes


def test_what_is_left_out_stays_and_null_takes_away(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put(PATH, {"methods": ["email", "webhook"], "email": "ann@example.com", "webhook": {"url": URL}})
    answer = root.put(PATH, {"methods": ["email"]})
    assert (answer.body["methods"], answer.body["webhook"]["url"]) == (["email"], SHOWN)
    answer = root.put(PATH, {"webhook": None})
    assert (answer.body["methods"], answer.body["email"], answer.body["webhook"]) == (
        ["email"],
        "ann@example.com",
        None,
    )
    assert _point(organisation, "webhook") is None
    assert root.put(PATH, {"methods": [], "email": ""}).body["email"] is None


def test_the_email_of_the_user_is_there_already(api: Any) -> None:
    api("root").put("/users/ann", {"email": "ann@example.com"})
    answer = api("root").put(PATH, {"methods": ["email"]})
    assert (answer.body["email"], _standing(answer, "email")) == ("ann@example.com", (True, False))


def test_a_secret_is_made_and_shown_once(api: Any, organisation: Any) -> None:
    root = api("root")
    made = root.put(PATH, {"webhook": {"url": URL}}).body["webhook"]["secret"]
    assert made.startswith("whsec_")
    assert made == _values(organisation, "webhook")["secret"]
    assert root.get(PATH).body["webhook"]["secret"] == MASK
    assert root.put(PATH, {"webhook": {"url": URL, "secret": MASK}}).body["webhook"]["secret"] == MASK
    moved = root.put(PATH, {"webhook": {"url": URL + "/new"}})
    assert moved.body["webhook"]["secret"] == MASK
    assert _values(organisation, "webhook")["secret"] == made
    fresh = root.put(PATH, {"webhook": {"url": URL, "secret": None}}).body["webhook"]["secret"]
    assert fresh not in (made, MASK)
    assert fresh == _values(organisation, "webhook")["secret"]


def test_a_given_secret_is_never_shown(api: Any) -> None:
    answer = api("root").put(PATH, {"webhook": {"url": URL, "secret": SECRET}})
    assert SECRET not in str(answer.body)


def test_a_url_is_shown_to_nobody_and_what_is_shown_keeps_it(api: Any, organisation: Any) -> None:
    """Its path is as good as a password; a read token of an administrator's must not give away everybody's."""
    root = api("root")
    body = {"webhook": {"url": URL}, "dingtalk_robot": {"url": ROBOT_URL, "secret": "SEC1"}}
    answers = [
        root.put(PATH, body),
        root.get(PATH),
        api("ann").get(ME),
        root.put(PATH, {"methods": []}, if_match='"0"'),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 412]
    assert not [word for word in ("secret-path", "5f3a9c1b") if word in str([answer.body for answer in answers])]
    assert answers[1].body["dingtalk_robot"] == {"url": "https://oapi.dingtalk.com/…3a4b", "secret": MASK}
    stored = _values(organisation, "webhook")
    # given back, left out, beside another change
    for again in (answers[1].body["webhook"], {"url": SHOWN}, {}, {"previous_secret": SECRET}):
        assert root.put(PATH, {"webhook": again}).status == 200
        assert _values(organisation, "webhook").items() >= stored.items()
    assert root.put(PATH, {"dingtalk_robot": {"secret": "SEC2"}}).status == 200
    assert _values(organisation, "dingtalk_robot") == {"url": ROBOT_URL, "secret": "SEC2"}
    # a shortened one of another place leads nowhere
    [error] = root.put(PATH, {"webhook": {"url": "https://hooks.example.org/…"}}).body["errors"]
    assert (error["field"], "the whole one" in error["problem"]) == ("webhook.url", True)


def test_a_secret_stays_with_the_host_that_knows_it(api: Any, organisation: Any) -> None:
    root, elsewhere = api("root"), "https://hooks.example.org/in/ann"
    root.put(PATH, {"webhook": {"url": URL, "secret": SECRET}})
    [error] = root.put(PATH, {"webhook": {"url": elsewhere, "secret": MASK}}).body["errors"]
    assert error["field"] == "webhook.secret"
    assert "given anew, because url leads to another host" in error["problem"]
    made = root.put(PATH, {"webhook": {"url": elsewhere}}).body["webhook"]["secret"]
    assert made == _values(organisation, "webhook")["secret"] != SECRET
    given = root.put(PATH, {"webhook": {"url": "https://hooks.example.org:8443/", "secret": SECRET}})
    assert (given.body["webhook"]["secret"], _values(organisation, "webhook")["secret"]) == (MASK, SECRET)


@pytest.mark.parametrize("mask", [{}, {"secret": MASK}])
def test_a_robot_that_moves_says_its_secret_again_or_that_it_has_none(
    api: Any, organisation: Any, mask: dict[str, str]
) -> None:
    root, moved = api("root"), {"url": ROBOT_URL.replace(".com", ".io")}
    root.put(PATH, {"dingtalk_robot": {"url": ROBOT_URL, "secret": "SEC1"}})
    [error] = root.put(PATH, {"dingtalk_robot": moved | mask}).body["errors"]
    assert (error["field"], "null" in error["problem"]) == ("dingtalk_robot.secret", True)
    assert root.put(PATH, {"dingtalk_robot": moved | {"secret": None}}).status == 200
    assert _values(organisation, "dingtalk_robot") == moved
    # another robot of the same host: a masked secret keeps
    root.put(PATH, {"dingtalk_robot": moved | {"secret": "SEC2"}})
    assert root.put(PATH, {"dingtalk_robot": {"url": moved["url"] + "0"} | mask}).status == 200


def test_no_secret_and_no_hidden_address_stands_in_the_record(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    root = api("root")
    made = root.put(PATH, {"methods": ["webhook"], "webhook": {"url": URL}}).body["webhook"]["secret"]
    root.put(PATH, {"webhook": {"url": URL, "secret": SECRET}})
    root.put(PATH, {"webhook": None})
    changes = list(Change.objects.for_tenant(organisation.id).filter(kind="notification_settings", key="ann"))
    assert [change.actor for change in changes] == ["root"] * 3
    text = "".join(f"{change.before}{change.after}" for change in Change.objects.for_tenant(organisation.id))
    assert not [word for word in (made, SECRET, "secret-path-of-ann") if word in text]
    last = max(changes, key=lambda change: change.id)
    assert last.after["contact_points_changed"] == ["webhook"]
    assert (last.before["contact_points"].keys(), last.after["contact_points"]) == ({"webhook"}, {})


def test_nodes_hear_of_it(api: Any, organisation: Any) -> None:
    before = organisation.tenant.directory_version
    api("root").put(PATH, {"methods": ["email"], "email": "ann@example.com"})
    organisation.tenant.refresh_from_db()
    # Once for the token of root was not the directory's business.
    assert organisation.tenant.directory_version == before + 1


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"methods": ["pigeon"]}, "methods", "email, sms, webhook"),
        ({"methods": "email"}, "methods", "list"),
        ({"methods": [{}]}, "methods", "list"),
        ({"pigeon": "coo"}, "pigeon", "dingtalk_robot, email, webhook"),
        ({"email": "nobody"}, "email", "@"),
        ({"email": 7}, "email", "text"),
        ({"email": "a@example.com\r\nBcc: b@example.com"}, "email", "control"),
        ({"webhook": URL}, "webhook", "object with url"),
        ({"webhook": {}}, "webhook.url", "missing"),
        ({"webhook": {"url": "ftp://example.com/x"}}, "webhook.url", "http"),
        ({"webhook": {"url": "https://u:p@example.com/x"}}, "webhook.url", "user name"),
        ({"webhook": {"url": URL, "secret": "hunter2"}}, "webhook.secret", "whsec_"),
        ({"webhook": {"url": URL, "secret": MASK}}, "webhook.secret", "masked"),
        ({"webhook": {"url": URL, "verify": False}}, "webhook.verify", "url"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, organisation: Any, body: Any, field: str, says: str) -> None:
    answer = api("root").put(PATH, body)
    assert (answer.status, answer.code) == (422, "invalid")
    [error] = answer.body["errors"]
    assert error["field"] == field
    assert says in error["problem"]
    assert "hunter2" not in str(answer.body)
    assert _point(organisation, "email") is _point(organisation, "webhook") is None


def test_a_channel_of_another_version_may_be_absent_and_no_more(api: Any) -> None:
    assert api("root").put(PATH, {"pigeon": None, "methods": []}).status == 200


def test_nothing_is_half_done(api: Any, organisation: Any) -> None:
    answer = api("root").put(PATH, {"methods": ["email"], "email": "ann@example.com", "webhook": {"url": "x"}})
    assert answer.status == 422
    assert _point(organisation, "email") is None
    assert api("root").get(PATH).body["methods"] == []


@pytest.mark.parametrize("body", [[], "x", 7])
def test_a_body_of_another_shape_is_refused(api: Any, body: Any) -> None:
    assert api("root").put(PATH, body).status == 422


def test_a_change_from_an_old_version_is_refused(api: Any, organisation: Any) -> None:
    root = api("root")
    etag = root.put(PATH, {"methods": ["email"], "email": "ann@example.com"}).etag
    assert root.put(PATH, {"methods": []}, if_match=etag).status == 200
    answer = root.put(PATH, {"methods": ["email"]}, if_match=etag)
    assert (answer.status, answer.code, answer.body["current"]["methods"]) == (412, "precondition_failed", [])
    etag = root.get(PATH).etag
    _disable(organisation, "email")
    assert root.put(PATH, {"methods": ["email"]}, if_match=etag).status == 412


# their own


def test_a_new_address_of_ones_own_is_not_verified(api: Any) -> None:
    answer = api("ann").put(ME, {"methods": ["email"], "email": "ann@home.example"})
    assert (answer.status, answer.body["email"], _standing(answer, "email")) == (
        200,
        "ann@home.example",
        (False, False),
    )
    assert "email" in answer.body["note"]


def test_a_verified_address_stays_so_while_it_is_the_same(api: Any) -> None:
    api("root").put(PATH, {"webhook": {"url": URL}, "email": "ann@example.com"})
    ann = api("ann")
    assert _standing(ann.put(ME, ann.get(ME).body), "email") == (True, False)
    rotated = ann.put(ME, {"webhook": {"url": URL, "secret": SECRET}})
    assert _standing(rotated, "webhook") == (True, False)
    moved = ann.put(ME, {"webhook": {"url": URL + "/elsewhere"}})
    assert _standing(moved, "webhook") == (False, False)


def test_what_the_administrators_said_needs_no_proof(api: Any) -> None:
    api("root").put("/users/ann", {"email": "ann@example.com"})
    ann = api("ann")
    assert _standing(ann.put(ME, {"email": "ann@home.example"}), "email") == (False, False)
    assert _standing(ann.put(ME, {"email": "ann@example.com"}), "email") == (True, False)


def test_an_administrator_confirms_what_a_person_wrote(api: Any) -> None:
    api("ann").put(ME, {"email": "ann@home.example"})
    assert _standing(api("root").put(PATH, {"email": "ann@home.example"}), "email") == (True, False)


@pytest.mark.parametrize("login", ["root", "ann"])
@pytest.mark.parametrize("url", [URL, URL + "/new"])
def test_saving_again_brings_a_dead_contact_point_back(api: Any, organisation: Any, login: str, url: str) -> None:
    api("root").put(PATH, {"webhook": {"url": URL, "secret": SECRET}})
    _disable(organisation, "webhook")
    shown = api("ann").get(ME).body["channels"]["webhook"]
    assert (shown["disabled"], shown["disabled_reason"]) == (True, "gone")
    path = PATH if login == "root" else ME
    assert _standing(api(login).put(path, {"methods": ["webhook"]}), "webhook") == (True, True)
    answer = api(login).put(path, {"webhook": {"url": url}})
    assert _standing(answer, "webhook") == (login == "root" or url == URL, False)
    assert answer.body["channels"]["webhook"]["disabled_reason"] is None


def test_a_verdict_about_the_old_address_still_finds_the_same_one(api: Any, organisation: Any) -> None:
    api("root").put(PATH, {"webhook": {"url": URL, "secret": SECRET}})
    sealed = bytes(_point(organisation, "webhook").sealed)
    _disable(organisation, "webhook")
    api("root").put(PATH, {"webhook": {"url": URL}})
    assert bytes(_point(organisation, "webhook").sealed) == sealed


# where it leads


def test_a_new_mail_server_is_where_all_mail_goes(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put(PATH, {"email": "ann@example.com"})
    assert _point(organisation, "email").destination == ""
    mail = {"host": "smtp.example.com", "port": 2525, "security": "none", "from": "notices@example.com"}
    organisation.tenant.refresh_from_db()
    before = organisation.tenant.directory_version
    assert root.put("/channels/email", {"enabled": True, "settings": mail}).status == 200
    assert _point(organisation, "email").destination == "smtp.example.com:2525"
    organisation.tenant.refresh_from_db()
    assert organisation.tenant.directory_version == before + 1
    root.put("/users/bo/notification-settings", {"email": "bo@example.com"})
    assert _point(organisation, "email", "bo").destination == "smtp.example.com:2525"
    assert root.get(PATH).body["channels"]["email"]["enabled"] is True


def test_only_the_tenants_own_contact_points_move(api: Any, organisation: Any, other_organisation: Any) -> None:
    from tidings.directory.contact_points import refresh_destinations

    api("mallory").put("/users/mallory/notification-settings", {"email": "m@example.com"})
    api("root").put(PATH, {"email": "ann@example.com"})
    assert refresh_destinations(organisation.id, "email", {"host": "a.example", "port": 25}) == 1
    assert _point(other_organisation, "email", "mallory").destination == ""
    assert refresh_destinations(organisation.id, "email", {"host": "a.example", "port": 25}) == 0


def test_a_lost_key_costs_the_address_and_nothing_else(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put(PATH, {"email": "ann@example.com", "webhook": {"url": URL}})
    for channel in ("email", "webhook"):
        point = _point(organisation, channel)
        point.sealed = b"not ours"
        point.save()
    assert root.get(PATH).status == 200
    answer = root.put(PATH, {"email": "ann@example.com", "webhook": {"url": URL}})
    assert (answer.status, answer.body["email"]) == (200, "ann@example.com")
    assert answer.body["webhook"]["secret"].startswith("whsec_")


# who may


def test_only_administrators_touch_the_settings_of_others(api: Any) -> None:
    for login in ("ann", "bo", "carol", "eve"):
        assert api(login).get(PATH).code == "forbidden"
        assert api(login).put(PATH, {"methods": []}).code == "forbidden"
    assert api(source="dms").get(ME).status == 403
    assert api(source="dms").put(ME, {}).status == 403
    assert api("root").get("/users/nobody/notification-settings").status == 404
    assert api("root").put("/users/nobody/notification-settings", {}).status == 404


def test_tenants_are_walls(api: Any, organisation: Any) -> None:
    api("root").put(PATH, {"email": "ann@example.com", "webhook": {"url": URL}})
    answers = [api("mallory").get(PATH), api("mallory").put(PATH, {"email": "m@example.com"})]
    assert [answer.status for answer in answers] == [404, 404]
    assert "example.com" not in "".join(str(answer.body) for answer in answers)
    assert _values(organisation, "email") == {"address": "ann@example.com"}


def test_nobody_calls_without_a_token(api: Any) -> None:
    for path in (PATH, ME):
        assert api(token="").get(path).status == api(token="").put(path, {}).status == 401


def test_scopes_narrow_what_a_person_may(api: Any, organisation: Any) -> None:
    from tidings.accounts.tokens import create_token

    _, reads = create_token(organisation.caller("ann"), person=organisation.people["ann"], scopes=["read"])
    assert api(token=reads).get(ME).status == 200
    assert api(token=reads).put(ME, {"methods": []}).status == 403


# the login in the path


def test_a_login_is_found_however_its_letters_are_composed(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/zo%C3%AB", {})
    composed, apart = "/users/zo%C3%AB/notification-settings", "/users/zoe%CC%88/notification-settings"
    for path, number in ((apart, 1), (apart, 2), (composed, 3)):
        assert root.put(path, {"webhook": {"url": f"{URL}/{number}"}}).status == 200
    assert _values(organisation, "webhook", "zo\u00eb")["url"] == f"{URL}/3"


def test_what_no_login_can_hold_is_not_found(api: Any) -> None:
    assert api("root").put("/users/a%00b/notification-settings", {"webhook": {"url": URL}}).status == 404


# DingTalk


ROBOT_URL = "https://oapi.dingtalk.com/robot/send?access_token=5f3a9c1be20d774e6a8c9b0d1f2e3a4b"


def test_dingtalk_is_reached_by_the_mobile_or_by_a_user_id(api: Any, organisation: Any) -> None:
    root = api("root")
    answer = root.put(PATH, {"methods": ["dingtalk"], "mobile": "+86 138 0013 8000"})
    assert (answer.status, answer.body["mobile"], answer.body["dingtalk_user_id"]) == (200, "+8613800138000", None)
    assert _standing(answer, "dingtalk") == (True, False)
    assert answer.body["channels"]["dingtalk"]["address"] == "+86***8000"
    assert _values(organisation, "dingtalk") == {"mobile": "+8613800138000"}
    assert root.put(PATH, root.get(PATH).body).etag == answer.etag
    known = root.put(PATH, {"dingtalk_user_id": "zhangsan"})
    assert (known.body["dingtalk_user_id"], _standing(known, "dingtalk")) == ("zhangsan", (True, False))
    assert _values(organisation, "dingtalk") == {"user_id": "zhangsan"}
    assert root.put(PATH, root.get(PATH).body).etag == known.etag
    gone = root.put(PATH, {"dingtalk_user_id": None})
    assert (gone.body["dingtalk_user_id"], _point(organisation, "dingtalk")) == (None, None)


def test_the_mobile_of_the_user_leads_to_dingtalk_until_another_place_is_chosen(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/ann", {"mobile": "+8613800138000"})
    assert _values(organisation, "dingtalk") == {"mobile": "+8613800138000"}
    root.put("/users/ann", {"mobile": "+8613800138001"})
    assert _values(organisation, "dingtalk") == {"mobile": "+8613800138001"}
    root.put(PATH, {"dingtalk_user_id": "zhangsan"})
    root.put("/users/ann", {"mobile": "+8613800138002"})
    assert _values(organisation, "dingtalk") == {"user_id": "zhangsan"}


def test_the_administrators_word_about_a_mobile_vouches_for_no_user_id(api: Any) -> None:
    api("root").put("/users/ann", {"mobile": "+8613800138000"})
    ann = api("ann")
    assert _standing(ann.put(ME, {"methods": ["dingtalk"]}), "dingtalk") == (True, False)
    taken = ann.put(ME, {"dingtalk_user_id": "the-boss"})
    assert (taken.status, _standing(taken, "dingtalk")) == (200, (False, False))
    back = ann.put(ME, {"dingtalk_user_id": None, "mobile": "+8613800138000"})
    assert _standing(back, "dingtalk") == (True, False)
    assert _standing(ann.put(ME, {"mobile": "+8613900139000"}), "dingtalk") == (False, False)


def test_whose_account_a_mobile_leads_to_is_assumed_until_somebody_says_or_shows_it(
    api: Any, organisation: Any
) -> None:
    def assumed() -> bool:
        return bool(_point(organisation, "dingtalk").assumed)

    root, ann = api("root"), api("ann")
    root.put("/users/ann", {"mobile": "+8613800138000"})
    assert (assumed(), _point(organisation, "sms").assumed) == (True, False)
    ann.put(ME, {"mobile": "+8613900139000"})
    assert not assumed()  # and not verified
    ann.put(ME, {"mobile": "+8613800138000"})
    assert assumed()
    root.put(PATH, {"mobile": "+8613700137000"})
    assert assumed()
    root.put(PATH, {"dingtalk_user_id": "zhangsan"})
    assert not assumed()


def test_two_channels_that_share_a_mobile_may_lead_to_two_of_them(api: Any, organisation: Any) -> None:
    """As when a code proved another number for one of them."""
    root, ann = api("root"), api("ann")
    root.put("/users/ann", {"mobile": "+8613800138000"})
    assert (_values(organisation, "sms"), _values(organisation, "dingtalk")) == ({"mobile": "+8613800138000"},) * 2
    _lead(organisation, "sms", "+8613900139000")
    shown = ann.get(ME)
    assert shown.body["mobile"] == "+8613900139000"
    assert ann.put(ME, shown.body).etag == shown.etag
    assert _values(organisation, "dingtalk") == {"mobile": "+8613800138000"}
    moved = ann.put(ME, {"mobile": "+8613700137000"})
    assert [_standing(moved, channel) for channel in ("sms", "dingtalk")] == [(False, False)] * 2
    assert ann.put(ME, {"mobile": None}).body["channels"]["dingtalk"]["address"] is None


def test_a_mobile_that_was_proved_for_one_channel_leads_there_alone_until_another_is_selected(
    api: Any, organisation: Any
) -> None:
    api("root").put("/users/ann/notification-settings", {"methods": ["sms"], "mobile": "+8613800138000"})
    _point(organisation, "dingtalk").delete()
    ann = api("ann")
    shown = ann.get(ME)
    assert ann.put(ME, shown.body).etag == shown.etag
    assert _point(organisation, "dingtalk") is None
    both = ann.put(ME, {**shown.body, "methods": ["sms", "dingtalk"]})
    assert _standing(both, "dingtalk") == (False, False)
    assert both.body["channels"]["dingtalk"]["address"] == "+86***8000"


def test_a_group_robot_is_a_url_and_a_secret_that_is_never_shown(api: Any, organisation: Any) -> None:
    root, shown = api("root"), "https://oapi.dingtalk.com/…3a4b"
    given = {"url": f"{ROBOT_URL}&timestamp=1&sign=x", "secret": "SECwhatever"}
    answer = root.put(PATH, {"methods": ["dingtalk_robot"], "dingtalk_robot": given})
    assert (answer.status, answer.body["dingtalk_robot"]) == (200, {"url": shown, "secret": MASK})
    assert answer.body["channels"]["dingtalk_robot"]["address"] == shown
    assert _values(organisation, "dingtalk_robot") == {"url": ROBOT_URL, "secret": "SECwhatever"}
    assert root.put(PATH, root.get(PATH).body).etag == answer.etag
    for endpoint, destination in (
        (None, "oapi.dingtalk.com:443"),
        ("https://ding.acme.example", "ding.acme.example:443"),
    ):
        settings = {"keyword": "DMS", "endpoint": endpoint}
        assert root.put("/channels/dingtalk_robot", {"enabled": True, "settings": settings}).status == 200
        assert _point(organisation, "dingtalk_robot").destination == destination


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"mobile": "12345"}, "mobile", "country's code"),
        ({"mobile": 5}, "mobile", "text"),
        ({"dingtalk_user_id": "a,b"}, "dingtalk_user_id", "commas"),
        ({"dingtalk_robot": ROBOT_URL}, "dingtalk_robot", "object with url, secret"),
        ({"dingtalk_robot": {}}, "dingtalk_robot.url", "missing"),
        ({"dingtalk_robot": {"url": "https://oapi.dingtalk.com/robot/send"}}, "dingtalk_robot.url", "Webhook URL"),
    ],
)
def test_what_dingtalk_cannot_use_is_named(api: Any, body: Any, field: str, says: str) -> None:
    answer = api("root").put(PATH, body)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert says in answer.body["errors"][0]["problem"]
