"""Get a process ready: its database up and known, Django set up, its logs going to standard error."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django

from tidings.kernel.logs import set_up_logs
from tidings.kernel.postgres import Running, start
from tidings.kernel.settings import settings


@contextmanager
def platform(*, quiet: bool = False) -> Iterator[tuple[str, Running | None]]:
    """The database's URL, and the embedded server where that is the one used: this process is one of its users."""
    set_up_logs(quiet=quiet)
    running = None if settings().database_url else start(settings().data_dir)
    url = settings().database_url or (running.url if running else "")
    os.environ["TIDINGS_RESOLVED_DATABASE_URL"] = url
    os.environ["DJANGO_SETTINGS_MODULE"] = "tidings.kernel.django_settings"
    try:
        django.setup()
        yield url, running
    finally:
        if running:
            from django.db import connections

            connections.close_all()
            running.release()
