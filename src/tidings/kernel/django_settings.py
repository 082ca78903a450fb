"""Django's settings, all derived from `kernel/settings.py`. The database URL is filled in by `kernel/platform.py`."""

import hashlib
import os
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from tidings.kernel.settings import settings

_own = settings()


def _database(url: str) -> dict[str, Any]:
    """libpq's URL, read by libpq, as Django wants it: what it has no name for is passed through."""
    parts = conninfo_to_dict(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{ours: str(parts.pop(theirs, "")) for ours, theirs in names.items()},
        # A server that is not there at all takes a thread of two for so long, and not for minutes.
        "OPTIONS": {"connect_timeout": 5, **parts},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


# Resolved by the process before Django is set up: the embedded server's URL is not known from the settings alone.
DATABASES = {
    "default": _database(os.environ.get("TIDINGS_RESOLVED_DATABASE_URL") or _own.database_url or "postgresql:///")
}
SECRET_KEY = hashlib.sha256(f"tidings/django/{_own.secret_keys[0]}".encode()).hexdigest()
SECRET_KEY_FALLBACKS = [hashlib.sha256(f"tidings/django/{key}".encode()).hexdigest() for key in _own.secret_keys[1:]]
DEBUG = False
# The outside contract is JSON with bearer tokens; the console adds its own host check when it comes.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tidings.api.urls"
AUTH_USER_MODEL = "accounts.Account"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "tidings.accounts",
    "tidings.audit",
    "tidings.catalog",
    "tidings.channels",
    "tidings.directory",
    "tidings.events",
    "tidings.rules",
    "tidings.imports",
    "tidings.delivery",
    "ninja",
]
MIDDLEWARE: list[str] = ["django.middleware.security.SecurityMiddleware", "tidings.api.problems.ProblemMiddleware"]
TEMPLATES: list[dict[str, Any]] = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}}
]
STATIC_URL = "/static/"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
LOGGING_CONFIG = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
