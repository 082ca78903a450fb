"""What administrators say of the whole organisation."""

from collections.abc import Callable
from typing import Any

from tests.api.given import queries
from tests.console.test_channels import html, words

Console = Callable[..., Any]
PATH = "/console/organisation"


def test_what_holds_for_all_is_shown_and_changed(console: Console, api: Any, organisation: Any) -> None:
    page = html(console("root").get(PATH))
    assert organisation.tenant.name in page and 'value="+86 +44 +60 +62 +65 +91"' in page
    form = {"version": "1", "language": "zh-hans", "timezone": "Asia/Shanghai", "sms_countries": "+86, +65"}
    assert console("root").post(PATH, {**form, "fallback": "on"})["Location"] == PATH
    shown = api("root").get("/tenant").body
    assert (shown["language"], shown["timezone"], shown["fallback"]) == ("zh-hans", "Asia/Shanghai", True)
    assert (shown["sms_countries"], shown["version"]) == (["+86", "+65"], 2)
    console("root").post(PATH, {**form, "version": "2"})
    assert api("root").get("/tenant").body["fallback"] is False


def test_what_does_not_fit_is_said_in_place(console: Console, organisation: Any) -> None:
    form = {"version": "1", "language": "en", "timezone": "Europe/Nowhere", "sms_countries": "+86 +999"}
    page = html(console("root").post(PATH, form), 422)
    assert 'value="Europe/Nowhere"' in page and 'value="+86 +999"' in page
    read = words(console("root").post(PATH, form), 422)
    assert "Time zone is no time zone; write it as the IANA database does" in read
    assert "no country&#x27;s calling code" in read


def test_who_comes_too_late_is_told(console: Console) -> None:
    form = {"version": "1", "language": "en", "timezone": "UTC", "sms_countries": "+86"}
    assert console("root").post(PATH, form).status_code == 302
    page = html(console("root").post(PATH, {**form, "timezone": "Asia/Tokyo"}), 409)
    assert "Somebody changed this meanwhile" in page and 'value="Asia/Tokyo"' in page
    assert 'name="version" value="2"' in page


def test_it_is_the_administrators_and_takes_few_queries(console: Console) -> None:
    for login in ("ann", "carol", "eve"):
        assert console(login).get(PATH).status_code == 403
    root = console("root")
    root.get(PATH)
    with queries() as sent:
        root.get(PATH)
    assert len(sent) <= 6
