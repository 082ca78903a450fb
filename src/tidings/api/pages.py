"""Lists over HTTP: `{"items": [], "next_cursor": null}` (`kernel/pages.py`)."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from ninja import Field, Schema
from pydantic import AfterValidator, AwareDatetime

from tidings.kernel.pages import storable

T = TypeVar("T")
AT_MOST = 200
Text = Annotated[str, Field(max_length=500), AfterValidator(storable)]
"""What may be asked for."""

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: max(moment, _FIRST))]
"""With its zone. Keys hold no earlier time than 1970, and nothing is older."""


class Paging(Schema):
    cursor: Text | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(50, ge=1, le=AT_MOST)


class Listed(Schema, Generic[T]):
    items: list[T]
    next_cursor: str | None = None
