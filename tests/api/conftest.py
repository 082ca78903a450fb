"""A mail server for calls that send."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.api.given import aside


@pytest.fixture
def mail_server(local_calls: None) -> Iterator[Any]:
    from tidings.channels.testing.smtp_server import MailServer

    with aside(MailServer()) as server:
        yield server


@pytest.fixture
def mail(api: Callable[..., Any], mail_server: Any) -> Any:
    """The same, with the tenant's e-mail switched on and led there."""
    settings = {"host": "localhost", "port": mail_server.port, "security": "none", "from": "notices@example.com"}
    assert api("root").put("/channels/email", {"enabled": True, "settings": settings}).status == 200
    return mail_server
