"""Twilio on this machine: Basic authentication, its errors, and signed calls about what became of a message, in the
wrong order and twice.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from urllib.parse import parse_qsl, urlencode

from tidings.channels.testing.http_server import HttpServer, Reply, Request
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.http_errors import HttpError

LONGEST_BODY = 1_600
ERRORS: Mapping[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "The 'To' number is not a valid phone number."),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' or 'MessagingServiceSid' parameter is required."),
    21604: (400, "A 'To' phone number is required."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A message that was taken."""

    number: str
    sender: str
    text: str
    sid: str
    callback: str


class _Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(slots=True)
class TwilioServer(HttpServer):
    """`async with TwilioServer(...) as twilio:` and `twilio.url("")` is the endpoint.

    `script` answers the calls to a number in order, the last of which repeats; None takes the message. Who is in
    `stopped` has answered STOP. `fates` are the last status and error code of what goes to a number, ("delivered", "")
    where it says nothing.
    """

    account_sid: str
    auth_token: str
    stopped: set[str] = field(default_factory=set)
    script: dict[str, Sequence[Reply | None]] = field(default_factory=dict)
    fates: dict[str, tuple[str, str]] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    called_back: list[int] = field(default_factory=list)
    """The statuses with which calls were received."""
    _asked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        HttpServer.__init__(self)

    def reply(self, request: Request) -> Reply:
        try:
            text = self._taken(request)
        except _Refused as refused:
            self.wrong.append(refused.code)
            status, message = ERRORS[refused.code]
            return error(refused.code, message, status)
        if text.number in self.script:
            replies, asked = self.script[text.number], self._asked.get(text.number, 0)
            self._asked[text.number] = asked + 1
            if reply := replies[min(asked, len(replies) - 1)]:
                return reply
        self.texts.append(text)
        if text.callback:
            self.report(self._call_back(text))
        return made(text)

    def _taken(self, request: Request) -> Text:
        if not self._is_known(request.headers.get("authorization", "")):
            raise _Refused(20003)
        if (request.method, request.target) != ("POST", f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"):
            raise _Refused(20404)
        values = dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
        number, body = values.get("To", ""), values.get("Body", "")
        sender = values.get("MessagingServiceSid") or values.get("From", "")
        for missing, code in ((number, 21604), (sender, 21603), (body, 21602)):
            if not missing:
                raise _Refused(code)
        if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
            raise _Refused(21211)
        if len(body) > LONGEST_BODY:
            raise _Refused(21617)
        if number in self.stopped:
            raise _Refused(21610)
        sid = "SM" + hashlib.md5(f"{len(self.texts)}".encode(), usedforsecurity=False).hexdigest()
        return Text(number, sender, body, sid, values.get("StatusCallback", ""))

    def _is_known(self, authorization: str) -> bool:
        right = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        return hmac.compare_digest(authorization.encode(), f"Basic {right}".encode())

    async def _call_back(self, text: Text) -> None:
        status, code = self.fates.get(text.number, ("delivered", ""))
        wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
        for said in ((status, code), ("sent", ""), (status, code)):
            fields = {
                "MessageSid": text.sid,
                "SmsSid": text.sid,
                "MessageStatus": said[0],
                "SmsStatus": said[0],
                "To": text.number,
                "From": text.sender,
                "AccountSid": self.account_sid,
                "ApiVersion": "2010-04-01",
            } | ({"ErrorCode": said[1]} if said[1] else {})
            headers = {
                "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
                "x-twilio-signature": self._signature(text.callback, fields),
            }
            try:
                answer = await wire.request("POST", text.callback, headers=headers, body=urlencode(fields).encode())
                self.called_back.append(answer.status)
            except HttpError:
                self.called_back.append(0)
        await wire.aclose()

    def _signature(self, url: str, fields: Mapping[str, str]) -> str:
        """https://www.twilio.com/docs/usage/security#validating-requests"""
        content = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        digest = hmac.new(self.auth_token.encode(), content.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()


def made(text: Text, **members: str | int | None) -> Reply:
    body = {
        "sid": text.sid,
        "status": "accepted" if text.sender.startswith("MG") else "queued",
        "num_segments": "0" if text.sender.startswith("MG") else "1",
        "error_code": None,
        "error_message": None,
        "to": text.number,
        "body": text.text,
    } | members
    return Reply(201, json.dumps(body).encode(), {"content-type": "application/json"})


def error(code: int, message: str, status: int, **headers: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = json.dumps({"code": code, "message": message, "more_info": more, "status": status}).encode()
    return Reply(status, body, {"content-type": "application/json", **headers})
