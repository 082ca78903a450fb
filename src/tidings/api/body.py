"""The body of a call: JSON in UTF-8, read as strictly as the fast path reads events. Every call that takes a body takes
it from here, so what is no JSON, or holds what is no character, goes no further."""

import re
from typing import Any

import msgspec
from django.http import HttpRequest
from ninja.parser import Parser

from tidings.kernel.media_type import JSON, media_type, unsupported
from tidings.kernel.problems import Problem

_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises `Problem` 415, 422."""
        if media_type(request.headers.get("Content-Type", JSON)) != JSON:
            raise unsupported(f"Send {JSON}.")
        try:
            return msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = str(error)
            if _HALF_A_PAIR.search(request.body):
                why = r"maybe a text holds half a character, one of \ud800 to \udfff without its other half"
            raise Problem(422, "malformed_json", f"The body is not JSON in UTF-8: {why}.") from None
