"""Choose a password for the console by an invitation, as a browser does."""

import re
from urllib.parse import urlencode

from pyreqwest.exceptions import PyreqwestError

from tidings.demo.call import PATIENCE, Api, Unanswered

PASSWORD = "tidings demo"  # noqa: S105 - of a Tidings that lives for minutes, on this machine
_FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


async def sign_up(administrator: Api, login: str, email: str) -> None:
    """Raises `Unanswered`."""
    link: str = (await administrator.must("POST", f"/users/{login}/invitation")).body["url"]
    try:
        page = await administrator.client.get(link).timeout(PATIENCE).build().send()
        found = _FORM_TOKEN.search(await page.text())
        if found is None:
            raise Unanswered(f"The invitation of {login} leads to no form.")
        filled = {"csrfmiddlewaretoken": found[1], "login": login, "email": email, "password": PASSWORD}
        request = administrator.client.post(link).timeout(PATIENCE)
        request = request.header("cookie", page.headers["set-cookie"].partition(";")[0]).header("referer", link)
        request = request.header("content-type", "application/x-www-form-urlencoded")
        answer = await request.body_text(urlencode(filled)).build().send()
    except PyreqwestError as error:
        raise Unanswered(f"The invitation of {login}: no answer ({type(error).__name__}).") from None
    # A refused form is shown again; a good one leads on.
    if answer.status != 302:
        raise Unanswered(f"The invitation of {login} was not taken.")
