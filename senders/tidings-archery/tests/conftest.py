"""Archery's own tickets, approval and notifying (`archery/`, unchanged) on SQLite, beside a real Tidings."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.management import call_command

ARCHERY = Path(__file__).parent / "archery"


def _stand_in(name: str, *, path: Path | None = None, **members: Any) -> None:
    """For a module that Archery imports beside what is tested, and that nothing here calls."""
    module = ModuleType(name)
    module.__dict__.update(members)
    if path:
        module.__path__ = [str(path)]
    sys.modules[name] = module


def _never(*given: Any, **named: Any) -> Any:
    raise AssertionError("stood in for, and never called")


def _set_up() -> None:
    sys.path[:0] = [str(ARCHERY), str(ARCHERY.parent)]
    _stand_in("common.utils.sendmsg", MsgSender=_never)
    _stand_in("sql.engines", path=ARCHERY / "sql" / "engines", get_engine=_never)
    _stand_in("sql.offlinedownload", OffLineDownLoad=_never)
    _stand_in("sql.utils.sql_utils", remove_comments=_never)
    # archery/settings.py, as far as it matters here.
    settings.configure(
        SECRET_KEY="s" * 50,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "sql"],
        AUTH_USER_MODEL="sql.Users",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        TIME_ZONE="Asia/Shanghai",
        USE_TZ=False,
        PASSWORD_MIXIN_PATH="sql.plugins.password:DummyMixin",
        CURRENT_AUDITOR="sql.utils.workflow_audit:AuditV2",
        ENABLED_NOTIFIERS=["tidings_archery:TidingsNotifier"],
    )
    # Django does so for settings that are a module, as Archery's are.
    os.environ["TZ"] = settings.TIME_ZONE
    time.tzset()
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


_set_up()


@pytest.fixture
def archery() -> Iterator[Any]:
    """An organisation with two nodes of approval: Owner (bo, dan), then DBA (carol)."""
    from tickets import Archery

    yield Archery()
    call_command("flush", interactive=False, verbosity=0)
