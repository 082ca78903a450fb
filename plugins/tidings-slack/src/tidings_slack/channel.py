"""A Slack incoming webhook: a POST to a URL that is a secret; "ok" in a 200 is the only success."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from tidings.channels.contract import Budget, Channel, Field, InvalidField, Outcome, Parcel, Values, Wire
from tidings.channels.field_words import words_beside
from tidings.channels.words import CUT
from tidings.kernel.urls import Target, read_url
from tidings_slack.message import body
from tidings_slack.verdict import judge

WORDS = words_beside(__file__)
HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
HEADERS = {"content-type": "application/json; charset=utf-8"}
# "1 per second", and short bursts above it: https://docs.slack.dev/apis/web-api/rate-limits
RATE = 5, timedelta(seconds=5)


def checked_url(url: str) -> str:
    """Of one of Slack's hosts: with the tenant's `endpoint` in between too, the URL is the one that Slack gave."""
    target = read_url(url)
    before, services, *ids = target.path.split("/")
    if target.scheme != "https" or target.authority not in HOSTS or (before, services) != ("", "services"):
        raise InvalidField(
            "must be the URL of an incoming webhook, such as https://hooks.slack.com/services/T.../B.../..."
        )
    if len(ids) != 3 or not all(ids) or "?" in target.path:
        raise InvalidField("is not the whole URL: after /services/ it has three parts; copy it from Slack once more")
    return target.url


class SlackChannel(Channel):
    code = "slack"
    label: ClassVar[Mapping[str, str]] = {"en": "Slack", "zh-hans": "Slack"}
    settings = (Field("endpoint", "url", WORDS["endpoint"]),)
    contact = (
        Field(
            "url",
            "url",
            WORDS["url"],
            required=True,
            check=checked_url,
            shown=lambda url: _shown(read_url(url)),
        ),
    )
    verified_by = "test"

    def destination(self, contact: Values, settings: Values) -> str:
        target = read_url(_called(contact, settings))
        return f"{target.bracketed}:{target.port}"

    def address(self, contact: Values) -> str:
        return _shown(_given(contact))

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        most, per = RATE
        return (Budget(_key(parcels[0].contact), most, per, "slack_rate"),)

    def account(self, contact: Values, settings: Values) -> str:
        return _key(contact)

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        url = _called(parcel.contact, parcel.settings)
        answer = await wire.request("POST", url, headers=HEADERS, body=body(parcel))
        return judge(answer, parcel.now, hide=_given(parcel.contact).path.rpartition("/")[2])


def _shown(target: Target) -> str:
    """Workspace and webhook by their ids; only the last part is secret."""
    return f"{target.scheme}://{target.authority}{target.path.rpartition('/')[0]}/{CUT}"


def _given(contact: Values) -> Target:
    return read_url(str(contact["url"]))


def _called(contact: Values, settings: Values) -> str:
    target, endpoint = _given(contact), str(settings.get("endpoint") or "")
    return f"{endpoint.rstrip('/')}{target.path}" if endpoint else target.url


def _key(contact: Values) -> str:
    """The same for all who post by this webhook, and no way to find it out."""
    return f"slack:{hashlib.sha256(_given(contact).path.encode()).hexdigest()[:24]}"
