"""How a list is asked for as a file (`kernel/downloads.py`)."""

from ninja import Field, Schema

from tidings.api.pages import Text
from tidings.kernel.downloads import ROWS_AT_MOST


class Part(Schema):
    """As `Paging`, of a file."""

    cursor: Text | None = Field(None, description="where the file before ended: see its header Link")
    limit: int = Field(ROWS_AT_MOST, ge=1, le=ROWS_AT_MOST)


class SheetPart(Part):
    excel: bool = Field(False, description="with the byte order mark that Excel needs to read UTF-8")
