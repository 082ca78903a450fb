"""A list as a file: one part of it, built at once, so that no thread waits for whoever reads slowly. Where there is
more, the header `Link` says where the next part begins (RFC 8288)."""

from django.http import HttpRequest, HttpResponse

from tidings.kernel.sheets import CONTENT_TYPE

ROWS_AT_MOST = 10_000


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
