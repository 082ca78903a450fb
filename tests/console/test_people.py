"""People, as administrators find, change, invite and see them off."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from tests.api.given import queries

PEOPLE = "/console/people"
Console = Callable[..., Any]
PROFILE = {
    "name": "Amy",
    "email": "",
    "mobile": "",
    "external_id": "",
    "language": "en",
    "timezone": "UTC",
    "active": "on",
}


def text(answer: Any, status: int = 200) -> str:
    """As people read it."""
    assert answer.status_code == status, answer.content
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200
    table = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("<tr>")[1:]]
    return [row.split()[1] for row in rows]


def version(answer: Any) -> str:
    [found] = re.findall(r'name="version" value="([^"]*)"', answer.content.decode())[:1]
    return str(found)


@pytest.fixture
def mail_on(api: Any) -> Any:
    root = api("root")
    settings = {"host": "smtp.example.com", "port": 587, "security": "starttls", "from": "notices@example.com"}
    assert root.put("/channels/email", {"enabled": True, "settings": settings}).status == 200
    return root


# the list


def test_everybody_is_listed_with_roles_and_what_reaches_them(console: Console, mail_on: Any) -> None:
    mail_on.put("/users/bo", {"email": "bo@example.com", "mobile": "+8613800138000"})
    mail_on.put("/users/bo/notification-settings", {"methods": ["email", "sms"]})
    mail_on.put("/users/eve", {"email": "eve@example.com"})
    page = text(console().get(PEOPLE))
    assert "Bo bo bo@example.com +8613800138000 E-mail" in page
    assert "SMS: This channel is switched off for the organisation" in page
    assert "Switch on E-mail: it would reach them" in page
    assert "Carol carol DBA inbox only No notification method is switched on. Give and confirm an address" in page
    assert "5 people can be reached by nothing but their inbox here." in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=CAR", ["carol"]),
        ("q=0013%208000", ["dan"]),
        ("q=100%25", []),
        ("role=dba", ["carol"]),
        ("role=emperor", ["ann", "bo", "carol", "dan", "eve", "root"]),
        ("state=off", ["bo"]),
        ("state=active&q=ro", ["carol", "root"]),
        ("state=left", ["gone"]),
        ("reached=yes", ["dan"]),
        ("reached=no&state=active", ["ann", "carol", "eve", "root"]),
    ],
)
def test_people_are_found_by_what_stands_in_the_address(
    console: Console, mail_on: Any, query: str, found: list[str]
) -> None:
    mail_on.put("/users/dan", {"email": "dan@example.com", "mobile": "+8613800138000"})
    mail_on.put("/users/dan/notification-settings", {"methods": ["email"]})
    mail_on.put("/users/bo", {"active": False})
    mail_on.put("/users/gone", {"name": "Gone"})
    mail_on.delete("/users/gone")
    answer = console().get(f"{PEOPLE}?{query}")
    if found:
        assert listed(answer) == found
    else:
        assert "Nobody here is like that" in text(answer)


def test_long_lists_are_paged_and_exported_from_where_one_is(console: Console, organisation: Any) -> None:
    for number in range(60):
        organisation.add(f"p{number:02}")
    first = console().get(PEOPLE)
    [following] = re.findall(r'rel="next" href="([^"]+)"', first.content.decode())
    second = console().get(PEOPLE + unescape(following))
    assert len(listed(first)) == 50
    assert listed(first) + listed(second) == sorted(organisation.people)
    file = console().get(f"{PEOPLE}.csv{unescape(following)}&q=p").content.decode("utf-8-sig")
    assert [line.partition(",")[0] for line in file.splitlines()] == ["login", *listed(second)[:-1]]


def test_a_page_takes_as_many_queries_whoever_there_is(console: Console, organisation: Any) -> None:
    client = console()
    client.get(PEOPLE)
    with queries() as few:
        client.get(PEOPLE)
    for number in range(40):
        organisation.add(f"p{number}", methods=["email"])
    with queries() as many:
        client.get(PEOPLE)
    assert len(few) == len(many) <= 10


# one person


def test_a_person_is_changed(console: Console, api: Any) -> None:
    client = console()
    page = client.get(f"{PEOPLE}/ann")
    sent = {**PROFILE, "name": "Ann Li", "email": "ann@example.com", "roles": ["dba"], "version": version(page)}
    answer = client.post(f"{PEOPLE}/ann", sent, follow=True)
    assert "Saved. It holds for every event from now on." in text(answer)
    ann = api("root").get("/users/ann").body
    assert (ann["name"], ann["email"], ann["roles"], ann["active"]) == ("Ann Li", "ann@example.com", ["dba"], True)


def test_what_cannot_be_used_is_said_beside_it_and_nothing_is_lost(console: Console, api: Any) -> None:
    api("root").put("/users/bo", {"external_id": "E-7"})
    client = console()
    sent = {**PROFILE, "email": "nonsense", "mobile": "138", "timezone": "Mars"}
    page = text(client.post(f"{PEOPLE}/ann", {**sent, "version": "1"}), 422)
    assert "Not saved yet: see below." in page
    for said in ("cannot be written to", "must begin with + and the country's code", "is no time zone"):
        assert said in page, said
    page = text(client.post(f"{PEOPLE}/ann", {**PROFILE, "external_id": "E-7", "version": "1"}), 409)
    assert "This external id belongs to bo" in page
    assert api("root").get("/users/ann").body["name"] == "Ann"


def test_an_edit_of_somebody_else_is_shown_and_not_lost(console: Console, api: Any) -> None:
    client = console()
    page = client.get(f"{PEOPLE}/ann")
    api("root").put("/users/ann", {"name": "Anna", "timezone": "Asia/Shanghai"})
    sent = {**PROFILE, "name": "Annabel", "version": version(page)}
    answer = client.post(f"{PEOPLE}/ann", sent)
    shown = text(answer, 412)
    assert "Somebody changed this person while you did" in shown
    assert "Name Anna → becomes Annabel" in shown
    assert "Time zone Asia/Shanghai → becomes UTC" in shown
    assert api("root").get("/users/ann").body["name"] == "Anna"
    client.post(f"{PEOPLE}/ann", {**sent, "version": version(answer)})
    assert api("root").get("/users/ann").body["name"] == "Annabel"


@pytest.mark.parametrize("unsaid", [{}, {"version": "", "seen": ""}])
def test_a_form_that_does_not_say_what_it_was_made_from_is_shown_first(
    console: Console, api: Any, unsaid: dict[str, str]
) -> None:
    answer = console().post(f"{PEOPLE}/ann", {**PROFILE, "name": "Annabel", **unsaid})
    assert "Name Ann → becomes Annabel" in text(answer, 412)
    assert api("root").get("/users/ann").body["name"] == "Ann"


def test_methods_that_were_switched_meanwhile_are_no_edit_of_somebody_else(console: Console, mail_on: Any) -> None:
    client = console()
    page = client.get(f"{PEOPLE}/ann")
    [seen] = re.findall(r'name="seen" value="([^"]*)"', page.content.decode())
    mail_on.put("/users/ann/notification-settings", {"methods": ["email"]})
    sent = {**PROFILE, "name": "Annabel", "version": version(page), "seen": seen}
    assert "Saved." in text(client.post(f"{PEOPLE}/ann", sent, follow=True))
    mail_on.put("/users/ann", {"name": "Anna"})
    assert client.post(f"{PEOPLE}/ann", sent).status_code == 412


def test_the_methods_of_others_are_in_the_administrators_hands(console: Console, mail_on: Any) -> None:
    page = text(console().get(f"{PEOPLE}/ann"))
    assert "Nothing reaches this person but this console" in page
    where = "/console/settings/of/ann/ways/email/address"
    current = version(console(part=True).get(f"{PEOPLE}/ann"))
    assert current
    shown = mail_on.get("/users/ann/notification-settings")
    sent = {"address": "ann@example.com", "version": shown.etag.strip('"')}
    page = text(console(part=True).post(where, sent))
    assert "verified" in page
    assert mail_on.get("/users/ann/notification-settings").body["channels"]["email"]["verified"] is True


def test_the_last_administrator_stays(console: Console, api: Any) -> None:
    client = console()
    page = client.get(f"{PEOPLE}/root")
    answer = client.post(f"{PEOPLE}/root", {**PROFILE, "version": version(page)})
    assert "root is the last active administrator" in text(answer, 409)


def test_a_person_is_added_and_their_login_is_theirs(console: Console, api: Any) -> None:
    client = console()
    answer = client.post(f"{PEOPLE}-new", {**PROFILE, "login": "amy"}, follow=True)
    assert "Amy is here now." in text(answer)
    assert api("root").get("/users/amy").body["name"] == "Amy"
    page = text(client.post(f"{PEOPLE}-new", {**PROFILE, "login": "amy", "name": "Another"}), 422)
    assert "is taken" in page
    assert "must be 1 to 100 characters" in text(client.post(f"{PEOPLE}-new", {**PROFILE, "login": "a b"}), 422)
    assert api("root").get("/users/amy").body["name"] == "Amy"


def test_who_has_left_comes_back(console: Console, api: Any) -> None:
    api("root").put("/users/amy", {"name": "Amy"})
    client = console()
    shown = text(client.get(f"{PEOPLE}/amy/leave"))
    assert "They have no token." in shown
    page = client.get(f"{PEOPLE}/amy")
    answer = client.post(f"{PEOPLE}/amy/leave", {"version": version(page)}, follow=True)
    assert "Amy has left. The records keep the name." in text(answer)
    assert client.get(f"{PEOPLE}/amy").status_code == 404
    page = client.get(f"{PEOPLE}?state=left").content.decode()
    assert 'href="/console/people-new?login=amy"' in page
    assert 'value="Amy"' in client.get(f"{PEOPLE}-new?login=amy").content.decode()
    client.post(f"{PEOPLE}-new", {**PROFILE, "login": "amy"})
    assert client.get(f"{PEOPLE}/amy").status_code == 200


def test_it_says_what_it_means_that_somebody_leaves(console: Console, api: Any, organisation: Any) -> None:
    organisation.token("carol")
    api("root").put("/instances/rm-orders", {"dba": "carol"})
    page = text(console(part=True).get(f"{PEOPLE}/carol/leave"))
    assert "1 token ends for good." in page
    assert "Somebody else has to answer for: rm-orders" in page
    answer = console(part=True).post(f"{PEOPLE}/carol/leave", {"version": "99"})
    assert "Somebody changed this person meanwhile" in text(answer)
    answer = console(part=True).post(f"{PEOPLE}/root/leave", {"version": "1"})
    assert "last active administrator" in text(answer)


def test_a_person_is_invited_by_a_link_that_is_shown_once(console: Console) -> None:
    page = text(console(part=True).post(f"{PEOPLE}/ann/invite"))
    assert "/console/welcome/" in page
    plain = console()
    assert plain.post(f"{PEOPLE}/ann/invite")["Location"] == f"{PEOPLE}/ann/invite"
    assert "/console/welcome/" in text(plain.get(f"{PEOPLE}/ann/invite"))
    # Loaded again, it shows nothing and makes nothing.
    assert plain.get(f"{PEOPLE}/ann/invite")["Location"] == f"{PEOPLE}/ann"
    assert "/console/welcome/" not in text(console().get(f"{PEOPLE}/ann"))


def test_what_somebody_answers_for_and_their_tokens_are_shown(console: Console, api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/instances/rm-orders", {"dba": "carol", "owners": ["carol"]})
    made = root.post("/tokens", {"person": "carol", "name": "laptop"}).body
    client = console()
    page = text(client.get(f"{PEOPLE}/carol"))
    assert "rm-orders DBA, Data owner" in page
    assert "laptop" in page
    answer = client.post(f"{PEOPLE}/carol/tokens/{made['id']}/end", follow=True)
    assert "The token has ended" in text(answer)
    assert "laptop" not in text(client.get(f"{PEOPLE}/carol"))


@pytest.mark.parametrize("login", ["50%", "a.b?c#d", "陈伟", "a,b", "<i>x"])
def test_a_login_may_be_many_things(console: Console, organisation: Any, login: str) -> None:
    from django.urls import reverse

    organisation.add(login)
    where = reverse("person", args=[login], urlconf="tidings.urls")
    assert login in text(console().get(where))
    assert where in console().get(f"{PEOPLE}?q={quote(login)}").content.decode()


def test_people_are_suggested_while_somebody_types(console: Console) -> None:
    for field in ("dba", "owners"):
        page = console("carol", part=True).get(f"/console/people-found?{field}=car").content.decode()
        assert '<option value="carol">Carol' in page
    assert "option" not in console(part=True).get("/console/people-found?dba=").content.decode()
    assert console("ann").get("/console/people-found?dba=car").status_code == 403


def test_only_administrators_see_people(console: Console, organisation: Any) -> None:
    paths = (PEOPLE, f"{PEOPLE}.csv", f"{PEOPLE}-new", f"{PEOPLE}/ann", f"{PEOPLE}/ann/leave")
    for path in paths:
        for login in ("ann", "carol", "eve"):
            assert console(login).get(path).status_code == 403
    for path in (f"{PEOPLE}/ann", f"{PEOPLE}/ann/invite", f"{PEOPLE}/ann/leave"):
        assert console("carol").post(path, PROFILE).status_code == 403
        assert console("mallory").post(path, {**PROFILE, "version": "1"}).status_code == 404
    assert console("mallory").get(f"{PEOPLE}/ann").status_code == 404
    assert listed(console("mallory").get(PEOPLE)) == ["mallory"]


def test_a_persons_page_takes_as_many_queries_however_much_they_hold(
    console: Console, api: Any, organisation: Any
) -> None:
    client = console()
    api("root").put("/instances/rm-0", {"dba": "carol"})
    organisation.token("carol")
    client.get(f"{PEOPLE}/carol")
    with queries() as few:
        client.get(f"{PEOPLE}/carol")
    for number in range(30):
        api("root").put(f"/instances/rm-{number}", {"dba": "carol"})
        api("root").post("/tokens", {"person": "carol"})
    with queries() as many:
        assert "and more" in text(client.get(f"{PEOPLE}/carol"))
    assert len(few) == len(many) <= 14
