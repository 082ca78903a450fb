"""Lists as files. One holds `AT_MOST` rows and is built at once, so that no thread waits for whoever reads slowly;
where there are more, the header `Link` says where the next begins (RFC 8288)."""

from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema

from tidings.api.pages import Text
from tidings.kernel.sheets import CONTENT_TYPE

AT_MOST = 10_000


class Part(Schema):
    """As `Paging`, of a file."""

    cursor: Text | None = Field(None, description="where the file before ended: see its header Link")
    limit: int = Field(AT_MOST, ge=1, le=AT_MOST)


class SheetPart(Part):
    excel: bool = Field(False, description="with the byte order mark that Excel needs to read UTF-8")


def download(
    request: HttpRequest, name: str, body: bytes, next_cursor: str | None, content_type: str = CONTENT_TYPE
) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    if next_cursor:
        query = request.GET.copy()
        query["cursor"] = next_cursor
        response["Link"] = f'<{request.path}?{query.urlencode()}>; rel="next"'
    return response
