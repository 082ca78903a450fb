"""Django's settings, all derived from `kernel/settings.py`. The database URL is filled in by `kernel/platform.py`."""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from tidings.kernel.database import KEPT_ALIVE
from tidings.kernel.keys import django_key, secret_keys
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
        "OPTIONS": {"connect_timeout": 5, **KEPT_ALIVE, **parts},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def _fingerprint_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz"):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


# Resolved by the process before Django is set up: the embedded server's URL is not known from the settings alone.
DATABASES = {
    "default": _database(os.environ.get("TIDINGS_RESOLVED_DATABASE_URL") or _own.database_url or "postgresql:///")
}
SECRET_KEY, *SECRET_KEY_FALLBACKS = map(django_key, secret_keys())
DEBUG = False
# Links in mails are made from the base URL, never from what a request says its host is.
ALLOWED_HOSTS = ["*"]
_base = urlsplit(_own.base_url)
# Where a proxy puts a path in front and takes it off again.
FORCE_SCRIPT_NAME = _base.path or None
ROOT_URLCONF = "tidings.urls"
AUTH_USER_MODEL = "accounts.Account"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "tidings.accounts",
    "tidings.audit",
    "tidings.catalog",
    "tidings.channels",
    "tidings.directory",
    "tidings.events",
    "tidings.rules",
    "tidings.imports",
    "tidings.delivery",
    # Before allauth: its pages take our elements.
    "tidings.console",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "ninja",
]
# The REST calls pass through what is the console's at no cost: nothing there looks at a session unless it is asked.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tidings.api.problems.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tidings.console.around.ConsoleMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tidings.console.around.surroundings",
            ]
        },
    }
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
# A form of a rule names each of up to 1,000 additional users.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
LOGGING_CONFIG = None

# Languages and time zones: each page is in its reader's.
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
FORMAT_MODULE_PATH = "tidings.console.formats"
LOCALE_PATHS = [Path(__file__).parents[1] / "console" / "locale"]

# Style and scripts. Their address changes with their content, so a browser may keep them for good.
_STATIC = Path(__file__).parents[1] / "console" / "static"
STATIC_URL = f"static/{_fingerprint_of(_STATIC)}/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 365 * 86_400

# Who signs in, and how long that lasts.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "tidings_session"
SESSION_COOKIE_AGE = 14 * 86_400
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _base.scheme == "https"
CSRF_COOKIE_NAME = "tidings_csrf"
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]
CSRF_FAILURE_VIEW = "tidings.console.around.refuse_forged"
# Guesses are counted over all nodes. Django would throw a third of the counts away when there are 300: what is over is
# deleted by a node's housekeeping instead.
_NEVER_CULLED = {"MAX_ENTRIES": 10_000_000}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_cache",
        "OPTIONS": _NEVER_CULLED,
    }
}
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("login", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "tidings.console.sign_in.Adapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = "login"
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_EMAIL_VERIFICATION = "none"
# Nobody is written to who has no sign-in here.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# Behind a proxy that is not in TIDINGS_TRUSTED_PROXIES all come from one address, so the limit of one address is wide
# and that of one sign-in is not. Which address that is, the node in front of Django has found out (kernel/origin.py).
ACCOUNT_RATE_LIMITS = {"login": "300/m/ip", "login_failed": "60/m/ip,5/5m/key", "reset_password": "60/m/ip,5/h/key"}
MFA_ADAPTER = "tidings.console.sign_in.SecondFactor"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Tidings"
# A telephone may be half a minute off.
MFA_TOTP_TOLERANCE = 1
