"""Versions over HTTP: an answer about one thing carries its version as an ETag, and a change may ask with If-Match that
nobody was quicker (RFC 9110, 13.1.1)."""

import re

from django.http import HttpRequest, HttpResponse

_TAGS = re.compile(r'(?:W/)?"([^"]*)"')


def set_etag(response: HttpResponse, version: int | str) -> None:
    response["ETag"] = f'"{version}"'


def if_match(request: HttpRequest) -> frozenset[str] | None:
    """The versions the caller would change; None: whichever there is. A proxy that compresses may have made our tag a
    weak one; it still names one version. A tag that was never ours matches nothing."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(_TAGS.findall(header))
