"""What acts say in English of a value that they refuse, in the reader's language."""

import re
from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as text

from tidings.kernel.problems import Problem

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
    text("ends too early: a name, a bracket or a quotation mark is missing"),
    text("is nested too deeply; make it simpler"),
    text("holds a text or a number that no JSON in UTF-8 can have"),
    text("is no time zone: write +08:00, or a name such as Asia/Shanghai"),
    text("is no name of a header: letters, digits and dashes, such as X-Signature"),
    text("has a step in it, . or .. between slashes: no URL leads there"),
    # people, resources and files of them
    text("must begin with + and the country's code and go on in digits, such as +86 138 0013 8000"),
    text("has too few or too many digits for its country"),
    text("must be true or false"),
    text("only an instance has one"),
    text("is missing"),
    text("was left as it is: it changed after it had been checked. Check again"),
    text("Nothing was read. The file is empty: its first line names the columns."),
    text("Nothing was read. The file has a first line and no rows."),
    text("Nothing was read. The file is no text in UTF-8 or GB18030: save it as CSV, not as a workbook."),
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
    # expressions of a source
    (
        re.compile(r"cannot be read at character (?P<at>\d+): write \"(?P<name>\w+)\" with double quotes.*"),
        text('cannot be read at character %(at)s: write "%(name)s" with double quotes'),
    ),
    (
        re.compile(r"cannot be read at character (?P<at>\d+): .*"),
        text("cannot be read at character %(at)s: look at what stands there and just before it"),
    ),
    (
        re.compile(r"begins with (?P<name>.*), and there are only (?P<known>.*); you may mean (?P<near>.*)"),
        text("begins with %(name)s, and there are only %(known)s; you may mean %(near)s"),
    ),
    (
        re.compile(r"calls (?P<name>.*), which there is not; (?P<near>.*) is the nearest there is"),
        text("calls %(name)s, which there is not; %(near)s is the nearest there is"),
    ),
    (
        re.compile(r"gives (?P<name>\S+) (?P<given>\d+) values, and it takes (?P<wanted>\d+)(?: or more)?"),
        text("gives %(name)s another number of values (%(given)s) than it takes (%(wanted)s)"),
    ),
    (
        re.compile(r"is nested more than (?P<most>\d+) levels deep; make it simpler"),
        text("is nested more than %(most)s levels deep; make it simpler"),
    ),
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
    # people, resources and files of them
    (
        re.compile(r"This .* belongs to (?P<who>.*): it would name two people\."),
        text("This belongs to %(who)s already: it would name two people."),
    ),
    (
        re.compile(r"(?P<who>.*) is the last active administrator: .*"),
        text("%(who)s is the last active administrator: make somebody else administrator first."),
    ),
    (
        re.compile(r"has (?P<what>.*), which is not known(?: here)?; the (?:roles|methods) are: (?P<known>.*)"),
        text("has %(what)s, which is not known; there are: %(known)s"),
    ),
    (
        re.compile(r"is not known here; the languages are: (?P<known>.*)"),
        text("is not known here; the languages are: %(known)s"),
    ),
    (
        re.compile(r"names (?P<who>.*): nobody here has this login"),
        text("names %(who)s: nobody here has this login"),
    ),
    (re.compile(r"may be (?P<most>\d+) at most"), text("may be %(most)s at most")),
    (
        re.compile(r"must be 1 to (?P<most>\d+) characters without /, spaces and characters that cannot be seen"),
        text("must be 1 to %(most)s characters without /, spaces and characters that cannot be seen"),
    ),
    (
        re.compile(r"must be 1 to (?P<most>\d+) characters without /, line breaks and other control characters"),
        text("must be 1 to %(most)s characters without /, line breaks and other control characters"),
    ),
    (
        re.compile(r"is no telephone number of any country: (?P<why>.*)"),
        text("is no telephone number of any country: %(why)s"),
    ),
    (re.compile(r"is that of line (?P<line>\d+) already"), text("is that of line %(line)s already")),
    (
        re.compile(r"has (?P<cells>\d+) cells, and there are (?P<columns>\d+) columns: .*"),
        text("has %(cells)s cells, and there are %(columns)s columns: is a quote missing?"),
    ),
    (
        re.compile(r"Nothing was read\. The file has more than (?P<most>[\d,]+) rows\. Split it\."),
        text("Nothing was read. The file has more than %(most)s rows. Split it."),
    ),
    (
        re.compile(r"Nothing was read\. The file has more than (?P<most>[\d,]+) lines\. .*"),
        text("Nothing was read. The file has more than %(most)s lines. Take out those that are empty."),
    ),
    (
        re.compile(r"Nothing was read\. Line (?P<line>\d+) cannot be read: .*"),
        text("Nothing was read. Line %(line)s cannot be read: is a quote missing?"),
    ),
    (
        re.compile(r"Nothing was read\. The first line names (?P<what>.*), which is no column here.*: (?P<known>.*)\."),
        text("Nothing was read. The first line names %(what)s, which is no column here. The columns are: %(known)s."),
    ),
    (
        re.compile(r"Nothing was read\. The first line names (?P<what>.*) twice\."),
        text("Nothing was read. The first line names %(what)s twice."),
    ),
    (
        re.compile(r"Nothing was read\. The first line does not name (?P<what>.*), which has to be there\. .*"),
        text("Nothing was read. The first line does not name %(what)s, which has to be there."),
    ),
)

TURNED_AT_MOST = 2_000
"""Characters. What people wrote stands in some of these texts, and the search for where it ends takes the square of its
length."""

# What a problem means, by its code, for who does not read English: the act's own words say more of the case at hand.
MEANINGS: Mapping[str, str | Promise] = {
    "not_found": text("There is no such thing, or you may not see it."),
    "forbidden": text("Your roles do not allow this."),
    "invalid": text("Something in it does not fit."),
    "version_conflict": text("Somebody changed this meanwhile. Look at it as it is now, and change it again."),
    "precondition_failed": text("Somebody changed this meanwhile. Look at it as it is now, and change it again."),
    "channel_off": text("This channel is switched off for the organisation."),
    "contact_missing": text("There is no address yet."),
    "contact_unverified": text("The address is not confirmed yet."),
    "contact_disabled": text("The address was switched off because it leads nowhere."),
    "content_expired": text("What it said is not kept any more, so it cannot be sent again."),
    "not_retriable": text("This delivery cannot be tried again as it stands."),
    "verified_otherwise": text("This address is confirmed in another way."),
    "busy": text("Another message is being sent; try again in a moment."),
    "locked": text("Too many wrong codes were tried; wait, then ask for a new one."),
    "too_many_codes": text("So many codes were sent that the next has to wait."),
    "wrong_code": text("This is not the code that was sent."),
    "code_expired": text("This code is too old; ask for a new one."),
    "last_administrator": text("The last administrator stays: somebody has to be able to change things."),
    "source_exists": text("There is a source of this name already."),
    "here_already": text("This sign-in is somebody else's in this organisation already."),
    "signs_in_elsewhere": text("They sign in to another organisation too: only they can set a new password, by mail."),
    "unknown_event_type": text("There is no such event type."),
    "unstorable": text("It holds characters that cannot be kept."),
    "malformed_json": text("This is no JSON that can be read."),
    "invalid_event": text("This is no event that can be read."),
    "unreadable_file": text("This file cannot be read."),
    "too_many_rows": text("These are too many rows at once."),
    "too_many_features": text("There are too many features already."),
    "applying": text("It is being applied just now."),
    "not_checked": text("It is still being checked."),
    "secret_unreadable": text("What is kept sealed here cannot be opened with the keys of this installation."),
    "unavailable": text("This cannot be done just now; try again in a moment."),
    "parked_full": text("Too much is parked already."),
    "duplicate": text("Sent again and known already: it was told the first time, and to nobody twice."),
    "event_id_reused": text("An id that is known came with other content: give every event an id of its own."),
    "wrong_source": text("The token speaks for this source, and the event names another."),
    "signature_refused": text("The payload is not signed with the key that is set here."),
    "body_too_large": text("The request is too large."),
    "event_too_large": text("The event is too large."),
    "batch_too_large": text("There are more events in one batch than 1,000."),
    "nul_character": text("A text holds the character U+0000, which cannot be kept."),
    "number_too_large": text("It holds a number that cannot be kept exactly."),
    "too_deep": text("It is nested too deeply."),
    "time_in_the_future": text("Its time lies more than a day ahead; look at the clock of the source."),
    "invalid_cloudevent": text("This is no CloudEvent that is understood."),
    "unsupported_media_type": text("Its Content-Type is none that is understood."),
    "token_revoked": text("The token was revoked."),
    "reserved": text("This name is kept for Tidings itself."),
}


def meaning_of(code: str) -> str:
    """In a sentence; the code itself where nothing better is known."""
    return str(MEANINGS.get(code, code))


def meant(problem: Problem) -> str:
    """What it says in English; in other languages what its code means."""
    if get_language() == "en":
        return problem.detail
    return str(MEANINGS.get(problem.code) or spoken(problem.detail))


def spoken(problem: str) -> str:
    """As it came where nothing better is known."""
    if get_language() == "en" or len(problem) > TURNED_AT_MOST:
        return problem
    for pattern, translated in WITH_VALUE:
        if found := pattern.fullmatch(problem):
            return str(translated) % found.groupdict()
    return gettext(problem) if problem else ""
