"""Whether a push of DMS was signed with the source's secret.

DMS documents the ingredients ("computed from the webhook address, the password and the message event") and not how they
are put together. So every plausible way is tried. All of them need the secret and cover the whole message event: trying
more than one lets nobody in who does not know it.

https://help.aliyun.com/zh/dms/send-notifications-by-using-a-custom-webhook-url
"""

import hmac
from collections.abc import Callable, Iterator, Sequence

import msgspec

from tidings.channels.webhook.dms import dms_signature

WAYS: Sequence[Callable[[bytes, bytes], bytes]] = (
    lambda url, event: url + event,
    lambda url, event: event + url,
    lambda url, event: url + b"\n" + event,
    lambda url, event: event,
)


class _Signed(msgspec.Struct):
    messageEvent: msgspec.Raw = msgspec.Raw()  # noqa: N815 - DMS's names
    signatureText: str = ""  # noqa: N815


_signed = msgspec.json.Decoder(_Signed)


def signed_by(secret: str, body: bytes, urls: Sequence[str]) -> bool:
    """Never raises."""
    try:
        push = _signed.decode(body)
        events = list(dict.fromkeys(_written(bytes(push.messageEvent))))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    text = push.signatureText.encode()
    contents = {way(url.encode(), event) for url in urls for event in events for way in WAYS}
    # All are compared, so that the time it takes says nothing.
    same = [hmac.compare_digest(dms_signature(secret, content).encode(), text) for content in contents]
    return any(same)


def _written(event: bytes) -> Iterator[bytes]:
    """The message event as it came, and as JSON libraries write it: without spaces, members as they were or sorted."""
    yield event
    decoded = msgspec.json.decode(event)
    yield msgspec.json.encode(decoded)
    yield msgspec.json.encode(decoded, order="sorted")
