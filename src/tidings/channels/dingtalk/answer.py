"""Reading what DingTalk answers. Its old host says in the body of a 200 what went wrong, its new one with a status and
a code of letters; a client that trusts the status loses messages and never knows.

[DT-ERR] https://open.dingtalk.com/document/development/server-api-error-codes-1
[DT-LIMIT] https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
[DT-QUOTA] http://www.dingtalk.com/qidian/help-detail-1061621972.html
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tidings.channels.answer import said
from tidings.channels.contract import Answer, Outcome, TryLater

FINE = "0"
PUNISHED = "punished"
# Neither host says what passes for a fault of the moment and what for one of the request by a range of codes, so each
# is written down where it is met. These may come from any call.
BUSY = TryLater("vendor_busy", after=timedelta(seconds=30))
A_SECOND = TryLater("throttled", after=timedelta(seconds=2))
A_MINUTE = TryLater("throttled", after=timedelta(minutes=1))
# A month's calls are used up: 10,000 on the free plan, reset with the month, or by who pays for more. [DT-QUOTA]
USED_UP = TryLater("quota_used_up", after=timedelta(hours=1), technical=True)
EVERYWHERE: Mapping[str, Outcome] = {
    "-1": BUSY,
    # 10,000 calls in 20 s from one address: nothing of it is answered for 5 minutes. [DT-LIMIT]
    PUNISHED: TryLater("throttled", after=timedelta(minutes=5)),
    "90020": USED_UP,
    "90030": USED_UP,
    "Forbidden.AccessDenied.ApiCountLimitForOrg": USED_UP,
    # 90001 to 90019: this host, company, app or call is asked too often, for the rest of a second. [DT-LIMIT][DT-ERR]
    **{str(code): A_SECOND for code in range(90001, 90020)},
    "Forbidden.AccessDenied.QpsLimitForApi": A_SECOND,
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": A_SECOND,
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": A_MINUTE,
}
# Throttling has had more codes than any table of theirs lists; their words are steadier.
_TOO_OFTEN = re.compile(r"too fast|too (many|frequent)|frequency|限流|太快|频繁", re.IGNORECASE)


class Said(Struct, frozen=True):
    """`code` is what was answered, FINE if it was well, "" if it cannot be read; under 88 the code is the one inside,
    which tells the cause."""

    status: int
    code: str
    words: str
    content: Mapping[str, Any]

    @property
    def fine(self) -> bool:
        return self.code == FINE


def read(answer: Answer) -> Said:
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        # Of the punishment of an address some say that it is a page with this in it.
        text = answer.body.decode(errors="replace")
        return Said(answer.status, PUNISHED if '"punish"' in text else "", text, {})
    if "errcode" in content:
        # {"errcode":88,"sub_code":"40014","sub_msg":"不合法的access_token","errmsg":"ding talk error[...]"}
        code = str(content.get("sub_code") or content["errcode"])
        words = content.get("sub_msg") or content.get("errmsg")
    elif content.get("punish"):
        code, words = PUNISHED, content.get("source")
    else:
        code = str(content.get("code") or (FINE if answer.status // 100 == 2 else ""))
        words = content.get("message")
    return Said(answer.status, code, str(words or ""), content)


def verdict(
    heard: Said, table: Mapping[str, Outcome], *, hide: Iterable[str], too_often: Outcome = A_MINUTE
) -> Outcome:
    """Of what is not fine: the outcome in the table, with the vendor's own words. `hide`: see `answer.said`."""
    outcome = table.get(heard.code) or EVERYWHERE.get(heard.code)
    if outcome is None:
        outcome = _unlisted(heard, too_often)
    return replace(outcome, said=words_of(heard, hide))


def words_of(heard: Said, hide: Iterable[str]) -> str:
    try:
        return said(int(heard.code), heard.words, hide=hide)
    except ValueError:
        return said(heard.status, f"{heard.code} {heard.words}", hide=hide)


def _unlisted(heard: Said, too_often: Outcome) -> Outcome:
    if heard.status == 429 or (heard.code and _TOO_OFTEN.search(f"{heard.code} {heard.words}")):
        return too_often
    return TryLater("vendor_error") if heard.status >= 500 else TryLater("unexpected_answer")
