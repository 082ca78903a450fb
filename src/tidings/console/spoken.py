"""What acts say in English of a value that they refuse, in the reader's language."""

import re

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as text

CONSTANT = (
    text("has a space or a backslash in it; percent-encode it or take it out"),
    text("must not carry a user name or password; take out what stands before the @"),
    text("must be a whole URL, such as https://hooks.example.com/tidings"),
    text("must be a whole number"),
    text("has a line break or another control character in it; take it out"),
    text("must be a host name such as smtp.example.com, without http:// and without a port"),
    text("must be 1 to 65535; 587 is usual with starttls, 465 with tls, 25 with none"),
    text("must have plain letters before the @"),
    text("must be the AgentId of the app"),
    text("must be letters and digits, as the Twilio console shows it"),
    text("must be a number such as +15005550006, a short code, or up to 11 letters and digits"),
    text("must be a number and, if you like, a currency, such as 0.045 CNY"),
    text("must be 16 to 100 letters, digits, - and _; leave it out to have one made"),
    text("is no time zone; write it as the IANA database does, such as Asia/Shanghai or UTC"),
    text("says nothing: name at least one word"),
)
# What has a value in it; the value itself stays as it is.
WITH_VALUE = (
    (re.compile(r"is missing\. (?P<help>.*)"), text("is missing. %(help)s")),
    (re.compile(r"is longer than (?P<most>[\d,]+) characters"), text("is longer than %(most)s characters")),
    (re.compile(r"must be one of: (?P<known>.*)"), text("must be one of: %(known)s")),
    (
        re.compile(r"must be given anew, because (?P<moved>.*) will change: .*"),
        text("must be given anew, because where it is sent changes (%(moved)s): a stored secret goes nowhere else"),
    ),
    (re.compile(r"cannot be written to: (?P<why>.*)"), text("cannot be written to: %(why)s")),
    (
        re.compile(r"has (?P<what>'.*'), which is no country's calling code.*"),
        text("has %(what)s, which is no country's calling code; write them as in +86, +44, +65"),
    ),
    (
        re.compile(r"has (?P<what>\S+) in it, which nothing is known for; the variables are: (?P<known>.*)"),
        text("has %(what)s in it, which nothing is known for; the variables are: %(known)s"),
    ),
    (
        re.compile(r"there is no (?P<what>\S+); did you mean (?P<near>.*)\?"),
        text("there is no %(what)s; did you mean %(near)s?"),
    ),
    (
        re.compile(r"has (?P<least>\d+) to (?P<most>\d+) characters, all of them visible"),
        text("has %(least)s to %(most)s characters, all of them visible"),
    ),
)


def spoken(problem: str) -> str:
    """As it came where nothing better is known."""
    if get_language() == "en":
        return problem
    for pattern, translated in WITH_VALUE:
        if found := pattern.fullmatch(problem):
            return str(translated) % found.groupdict()
    return gettext(problem) if problem else ""
