"""Get a process ready: its database up and known, Django set up, its logs going to standard error; and let go of the
database however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.apps import apps
from django.db import connections

from tidings.kernel.logs import set_up_logs
from tidings.kernel.postgres import Running
from tidings.kernel.settings import settings
from tidings.kernel.stop import heeding_signals, interrupt, on_stop


@contextmanager
def platform(*, quiet: bool = False) -> Iterator[tuple[str, Running | None]]:
    """The database's URL, and the embedded server where that is the one used: this process is one of its users.

    A signal to stop raises `Stopped` in here, at any moment; an embedded server is stopped before this is left.
    """
    own = settings()
    set_up_logs(quiet=quiet, level=own.log_level, form=own.log_format)
    given = own.database_url
    with heeding_signals():
        running = None if given else Running(own.data_dir)
        try:
            with on_stop(interrupt):
                url = running.revive() if running else given or ""
                os.environ["TIDINGS_RESOLVED_DATABASE_URL"] = url
                os.environ["DJANGO_SETTINGS_MODULE"] = "tidings.kernel.django_settings"
                django.setup()
                yield url, running
        finally:
            if running:
                if apps.ready:
                    connections.close_all()
                running.release()
