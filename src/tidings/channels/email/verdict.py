"""What a mail server's answer means: of the address, of the message, or only that it is not now.

Codes: RFC 5321, 4.2; enhanced codes: RFC 3463 and
https://www.iana.org/assignments/smtp-enhanced-status-codes/smtp-enhanced-status-codes.xhtml
Gmail: https://support.google.com/a/answer/3726730
Exchange Online: https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidings.channels.contract import Outcome, Refused, TryLater

Stage = Literal["connect", "tls", "auth", "sender", "recipient", "data", "content"]
"""How far it came: greeting and EHLO, STARTTLS, AUTH, MAIL FROM, RCPT TO, DATA, after the final dot."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Holds at these stages (all of them when empty) for an answer "550 5.1.1 No such user" that begins with `code`
    and has one of `words` in it."""

    outcome: TryLater | Refused
    code: str
    words: str = ""
    at: tuple[Stage, ...] = ()

    def holds(self, stage: Stage, answer: str) -> bool:
        return (
            (not self.at or stage in self.at)
            and re.match(rf"{self.code}\b", answer) is not None
            and re.search(self.words, answer, re.IGNORECASE) is not None
        )


_TO: tuple[Stage, ...] = ("recipient", "data", "content")
_RATE = r"\brate\b|too quickly|too many"
_RELAY = r"\brelay(ing)?\b(?! recipient table)|rcpthosts"
_FULL = "quota|mailbox (is )?full|insufficient storage"
# Words of servers that give no enhanced code: what they refuse is us or this message, not the mailbox.
_POLICY = r"\bspam|block(ed|list)|blacklist|reputation|policy|\bspf\b|\bdkim\b|\bdmarc\b|\brbl\b|abus|denied"

# The first that holds. A dead address is disabled and its owner told, so the address is blamed only where nothing else
# can be meant; the same 550 says "no such user", "you are on a list" and "sign in first".
VERDICTS: Sequence[Verdict] = (
    # Not now.
    Verdict(TryLater("server_busy"), "421"),
    Verdict(TryLater("auth_unavailable"), r"4\d\d", at=("auth",)),
    Verdict(TryLater("server_unavailable"), r"4\d\d", at=("connect", "tls", "sender")),
    Verdict(TryLater("mailbox_full"), r"4\d\d 4\.2\.2", at=_TO),
    Verdict(TryLater("greylisted"), r"4\d\d", "gr[ae]y-?list|postgrey", at=_TO),
    Verdict(TryLater("throttled"), r"4\d\d", _RATE, at=_TO),
    Verdict(TryLater("try_again_later"), r"4\d\d", at=_TO),
    # Our credentials and our configuration: administrators are told, and the schedule goes on.
    Verdict(TryLater("auth_failed", technical=True), "(530|534|535|538)"),
    Verdict(TryLater("auth_failed", technical=True), r"5\d\d", at=("auth",)),
    Verdict(TryLater("tls_failed", technical=True), r"5\d\d", at=("tls",)),
    Verdict(TryLater("server_refuses_us", technical=True), r"5\d\d", at=("connect",)),
    Verdict(TryLater("relay_denied", technical=True), r"5\d\d", _RELAY, at=("recipient",)),
    Verdict(Refused("too_large", of="message"), r"(552|5\d\d 5\.3\.4)", at=("sender",)),
    Verdict(TryLater("sender_refused", technical=True), r"5\d\d", at=("sender",)),
    Verdict(TryLater("sender_refused", technical=True), r"5\d\d 5\.1\.[78]", at=_TO),
    # Of the message: what is said of fullness, size, rate and policy ends, or is not about the mailbox.
    Verdict(Refused("mailbox_full", of="message"), r"5\d\d", _FULL, at=_TO),
    Verdict(Refused("mailbox_full", of="message"), r"5\d\d 5\.2\.2", at=_TO),
    Verdict(Refused("too_large", of="message"), r"5\d\d 5\.(2\.3|3\.4)", at=_TO),
    # Gmail's 550 5.2.1 is "disabled" and "receiving mail at a rate"; only one of them is dead.
    Verdict(Refused("throttled", of="message"), r"5\d\d 5\.2\.1", _RATE, at=_TO),
    # Of the address. 5.4.1 with these words is Exchange Online's "no such recipient" (directory-based edge blocking).
    Verdict(Refused("no_such_address", of="address"), r"5\d\d 5\.(1\.(1|2|3|6|10)|2\.1|4\.310)", at=_TO),
    Verdict(Refused("no_such_address", of="address"), r"550 5\.4\.1", "recipient address rejected", at=_TO),
    Verdict(Refused("policy", of="message"), r"5\d\d 5\.[67]\.\d+", at=_TO),
    Verdict(Refused("rejected", of="message"), r"5\d\d 5\.[34]\.\d+", at=_TO),
    # No enhanced code, or one that says nothing (5.0.0, 5.1.0, 5.5.0).
    Verdict(Refused("policy", of="message"), r"5\d\d", _POLICY, at=_TO),
    Verdict(Refused("no_such_address", of="address"), "(521|550|551|553|556)", at=("recipient",)),
    Verdict(Refused("too_large", of="message"), "552", at=_TO),
    Verdict(Refused("policy", of="message"), "554", at=_TO),
    Verdict(Refused("rejected", of="message"), r"5\d\d", at=_TO),
)
UNEXPECTED = TryLater("unexpected_answer")


def verdict(stage: Stage, code: int, words: str) -> Outcome:
    """Of a refusal; the words are not in it yet."""
    answer = f"{code} {words}"
    return next((row.outcome for row in VERDICTS if row.holds(stage, answer)), UNEXPECTED)
