"""The page behind the unsubscribe link of a mail. Looking at it changes nothing, since scanners fetch every link; what
does is a POST, from the page's own button or by one click in a mail client (RFC 8058)."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine, Template
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tidings.api.problems import Page
from tidings.messages.wording import LANGUAGES, wording
from tidings.preferences.link import read_link
from tidings.preferences.unsubscribe import Subscription, subscription, unsubscribe

# https://www.rfc-editor.org/rfc/rfc8058#section-3.1
ONE_CLICK = ("List-Unsubscribe", "One-Click")
HTML_LANGUAGES = {"en": "en", "zh-hans": "zh-Hans"}
STYLE = (
    "body{margin:0;font:16px/1.6 -apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',sans-serif;"
    "background:#eef1f5;color:#1b1f24}main{max-width:34rem;margin:12vh auto 0;padding:2rem;background:#fff}"
    "h1{margin:0 0 .5rem;font-size:1.3rem}p{margin:0 0 1rem}.address{font-weight:600}"
    "button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:4px;background:#1f5fd1;color:#fff;cursor:pointer}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#f1f3f5}main{background:#22252c}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    # The address of the page is as good as the mail it stands in.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


# The link itself shows who may; a mail client's one click carries no cookie.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    link = read_link(token)
    name, value = ONE_CLICK
    acts = request.method == "POST" and request.POST.get(name) == value
    found = (unsubscribe(link) if acts else subscription(link)) if link else None
    if found is None:
        return _broken()
    if found.former:
        label = wording(found.language).label
        text = {"headline": label("unsubscribe_former"), "body": label("unsubscribe_former_todo")}
        return _page(found.language, [text])
    return _asked(found, status=400 if request.method == "POST" else 200) if found.chosen else _done(found)


def _asked(found: Subscription, *, status: int) -> HttpResponse:
    label = wording(found.language).label
    text = {"headline": label("unsubscribe_question"), "body": label("unsubscribe_effect")}
    return _page(found.language, [text], status=status, address=found.address, button=label("unsubscribe_button"))


def _done(found: Subscription) -> HttpResponse:
    label = wording(found.language).label
    text = {"headline": label("unsubscribed"), "body": label("unsubscribed_return")}
    return _page(found.language, [text], address=found.address)


def _broken() -> HttpResponse:
    """In every language: nobody knows whose it is."""
    texts = [
        {
            "language": HTML_LANGUAGES[code],
            "headline": wording(code).label("unsubscribe_broken"),
            "body": wording(code).label("unsubscribe_broken_todo"),
        }
        for code in LANGUAGES
    ]
    return _page(LANGUAGES[0], texts, status=404)


def _page(
    language: str, texts: Sequence[dict[str, str]], *, status: int = 200, address: str = "", button: str = ""
) -> HttpResponse:
    about = {
        "language": HTML_LANGUAGES[wording(language).language],
        "texts": texts,
        "address": address,
        "button": button,
        "style": mark_safe(STYLE),  # noqa: S308 - ours
    }
    return Page(_template().render(Context(about)), status=status, headers=HEADERS)


@cache
def _template() -> Template:
    return Engine().from_string((files("tidings.api") / "unsubscribe.html").read_text("utf-8"))
