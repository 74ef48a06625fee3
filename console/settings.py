"""Every setting, from the environment. Nonsense is refused at the start, all of it in one message."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, EnvValidationError
from marshmallow import ValidationError, validate

BASE_DIR = Path(__file__).resolve().parent.parent
# Compose hands over an empty string for what nobody has set.
for _name in [name for name, value in os.environ.items() if not value]:
    del os.environ[_name]
# eager=False collects every mistake, and env.seal() below names them all at once.
env = Env(eager=False)


def _sealing_keys(value: str) -> dict[str, bytes]:
    """Parse ``id:key,id:key``; keys are 32 bytes in URL-safe base64. The first one seals, all of them open."""
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in value.split(","))):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except binascii.Error as error:
            raise EnvError(f"the key called {key_id!r} is not base64") from error
        if not key_id.isalnum() or len(key_id) > 16 or len(key) != 32:
            raise EnvError("each entry is an alphanumeric id, a colon and 32 bytes in URL-safe base64")
        if key_id in keys:
            raise EnvError(f"two keys are called {key_id!r}")
        keys[key_id] = key
    if not keys:
        raise EnvError("at least one key is needed")
    return keys


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path not in ("", "/"):
        raise ValidationError("an origin such as https://eu.gatehouse.example")
    if parts.scheme == "http" and not DEVELOPMENT:
        raise ValidationError("must be https in production")
    return f"{parts.scheme}://{parts.netloc}"


def _scheme(*schemes: str):  # type: ignore[no-untyped-def]
    def check(value: str) -> None:
        if urlsplit(value).scheme not in schemes:
            raise ValidationError(f"must begin with {' or '.join(s + '://' for s in schemes)}")

    return check


# ---- What kind of installation this is -----------------------------------------------------------

MODE = env.str("GATEHOUSE_MODE", "production", validate=validate.OneOf(["production", "development"]))
DEVELOPMENT = MODE == "development"
DEBUG = False  # Never: error pages are ours in development too, so that they are seen before customers see them.
PORT = env.int("PORT", 8000)
VERSION = env.str("GATEHOUSE_VERSION", "0.1.0")

if DEVELOPMENT:
    SECRET_KEY = env.str("SECRET_KEY", "development-only-" + "0" * 50)
    _sealing_default = "dev:" + base64.urlsafe_b64encode(b"development-only-sealing-key-00!").decode()
else:
    SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=50))
    _sealing_default = None
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", [])


@env.parser_for("sealing_keys")
def _sealing_keys_parser(value: str) -> dict[str, bytes]:
    return _sealing_keys(value)


SEALING_KEYS: dict[str, bytes] = (
    env.sealing_keys("SEALING_KEYS", _sealing_default)  # type: ignore[attr-defined]
    if _sealing_default
    else env.sealing_keys("SEALING_KEYS")  # type: ignore[attr-defined]
)

# ---- Regions and their origins (M8) --------------------------------------------------------------

REGIONS = ("na", "eu", "au")
REGION_ORIGINS: dict[str, str] = {
    region: (
        env.str(f"ORIGIN_{region.upper()}", f"http://{region}.localhost:{PORT}", validate=_origin)
        if DEVELOPMENT
        else env.str(f"ORIGIN_{region.upper()}", validate=_origin)
    )
    for region in REGIONS
}
REGION_ORIGINS = {region: (origin or "").rstrip("/") for region, origin in REGION_ORIGINS.items()}
HTTPS = all(origin.startswith("https://") for origin in REGION_ORIGINS.values())
# How many proxies of ours stand in front and append to X-Forwarded-For.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0, validate=validate.Range(min=0, max=5))
# Health probes come by address, not by name.
ALLOWED_HOSTS = sorted(
    {urlsplit(origin).hostname or "" for origin in REGION_ORIGINS.values()}
    | set(env.list("PROBE_HOSTS", ["localhost", "127.0.0.1", "[::1]"]))
)
CSRF_TRUSTED_ORIGINS = sorted(set(REGION_ORIGINS.values()))
if TRUSTED_PROXIES and HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Loopback and plain http providers, for the demo Okta and tests. T1: refused outside development.
ALLOW_LOOPBACK_ISSUERS = env.bool("ALLOW_LOOPBACK_ISSUERS", False)

# ---- Applications --------------------------------------------------------------------------------

INSTALLED_APPS = [
    "audit",
    "users",
    "invitations",
    "identity",
    "console",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "csp",
    "django_guid",
    "django_htmx",
    "lucide",
    "anymail",
    "mozilla_django_oidc",
]

MIDDLEWARE = [
    "django_guid.middleware.guid_middleware",
    "console.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.middleware.SecurityPolicyMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "users.middleware.SignedInMiddleware",
    "users.middleware.SignInRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "identity.middleware.VouchedMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "console.context.shell",
            ],
        },
    }
]
FORM_RENDERER = "console.forms.Renderer"

# ---- Data ----------------------------------------------------------------------------------------

DATABASES = {
    "default": env.dj_db_url("DATABASE_URL", conn_max_age=600, conn_health_checks=True, engine="console.postgresql")
}
REDIS_URL = env.str("REDIS_URL", validate=_scheme("redis", "rediss", "unix"))

# ---- People: sign-in, sessions, passwords --------------------------------------------------------

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["users.backends.PasswordBackend", "identity.backends.OIDCBackend"]
LOGIN_URL = "console:login"
LOGIN_REDIRECT_URL = "console:dashboard"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
PASSWORD_RESET_TIMEOUT = 60 * 60  # seconds
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "users.passwords.LengthValidator"},
    {"NAME": "users.passwords.CommonValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ("name", "email")}},
]  # fmt: skip

SESSION_ENGINE = "users.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds; the row's own limits are what counts
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "console.views.errors.csrf_refused"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# ---- Transport and headers -----------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# The prefix makes the browser refuse the cookie from any other host or path, or without TLS.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrf"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 2 * 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        # Browsers apply this to the redirect after a form too, and an enterprise may live in another region.
        "form-action": ["'self'", *REGION_ORIGINS.values()],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# ---- Static files, language, time ----------------------------------------------------------------

STATIC_URL = "/static/"
# In development files are served from where they are written.
STATIC_ROOT = env.path("STATIC_ROOT", None if DEVELOPMENT else BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env.bool("STATICFILES_MANIFEST", not DEVELOPMENT)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEVELOPMENT
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# ---- Email ---------------------------------------------------------------------------------------

EMAIL_FROM = env.str("EMAIL_FROM", "Gatehouse <no-reply@gatehouse.example>")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = EMAIL_FROM
# A provider through django-anymail (`anymail.backends.postmark.EmailBackend`, with its ANYMAIL_… variables), or SMTP.
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
_email = env.dj_email_url("EMAIL_URL", "smtp://127.0.0.1:1025" if DEVELOPMENT else "smtp://localhost:25")
EMAIL_HOST = _email.get("EMAIL_HOST")
EMAIL_PORT = _email.get("EMAIL_PORT")
EMAIL_HOST_USER = _email.get("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = _email.get("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
if _email.get("EMAIL_BACKEND", "").endswith("console.EmailBackend"):
    EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_TIMEOUT = 20  # seconds
ANYMAIL = {name.removeprefix("ANYMAIL_"): value for name, value in os.environ.items() if name.startswith("ANYMAIL_")}

# ---- Background work -----------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300  # seconds
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request never waits for a broker that is down: the sweep finds what was not queued.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 0,  # Of a publisher. Workers have their own, without end.
    "visibility_timeout": 900,
}
CELERY_BEAT_SCHEDULE = {
    "remind of break-glass accounts nobody has tested": {
        "task": "users.tasks.remind_of_break_glass",
        "schedule": 6 * 3600.0,
    },
    "send what was missed": {"task": "users.tasks.sweep", "schedule": 60.0},
    "go on with batches that were left": {"task": "invitations.tasks.sweep_batches", "schedule": 60.0},
    "send invitations that were missed": {"task": "invitations.tasks.sweep", "schedule": 60.0},
    "forget what has expired": {"task": "users.tasks.forget_expired", "schedule": 3600.0},
    "say that passwords stop working": {"task": "users.tasks.remind_of_requirement", "schedule": 3600.0},
    "let keys and secrets take turns": {"task": "identity.tasks.take_turns", "schedule": 3600.0},
    "remind of secrets that end": {"task": "identity.tasks.remind_of_expiry", "schedule": 3600.0},
    "delete what was closed": {"task": "users.tasks.delete_closed", "schedule": 3600.0},
}

# ---- Logs ----------------------------------------------------------------------------------------

DJANGO_GUID = {
    "GUID_HEADER_NAME": "X-Request-Id",
    "VALIDATE_GUID": True,
    "RETURN_HEADER": True,
    "EXPOSE_HEADER": False,
    "INTEGRATIONS": [],
    "UUID_LENGTH": 32,
    "UUID_FORMAT": "hex",
}
LOG_FORMAT = env.str("LOG_FORMAT", "console" if DEVELOPMENT else "json", validate=validate.OneOf(["console", "json"]))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "django_guid.log_filters.CorrelationId"},
        "without_request": {"()": "console.logs.WithoutRequest"},
    },
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s %(correlation_id)s",
            "rename_fields": {
                "asctime": "at",
                "levelname": "level",
                "name": "logger",
                "correlation_id": "request_id",
            },
        },
        "console": {"format": "%(levelname)s %(name)s [%(correlation_id)s] %(message)s"},
    },
    "handlers": {
        "out": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT or "json",
            "filters": ["request_id", "without_request"],
        }
    },
    "root": {"handlers": ["out"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        # Our own request line says more, and without query strings, which carry codes and states.
        "django.server": {"handlers": [], "propagate": False},
        "django.request": {"level": "ERROR"},
        # At DEBUG it writes out whole contexts, with the request's address in them.
        "django.template": {"level": "INFO"},
        "django_guid": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}

try:
    env.seal()
except EnvValidationError as error:
    _lines = [f"  {name}: {' '.join(str(m) for m in messages)}" for name, messages in error.error_messages.items()]
    raise ImproperlyConfigured("The environment is not complete:\n" + "\n".join(sorted(_lines))) from None
if ALLOW_LOOPBACK_ISSUERS and not DEVELOPMENT:
    raise ImproperlyConfigured("ALLOW_LOOPBACK_ISSUERS opens the internal network; it is for development only.")
SILENCED_SYSTEM_CHECKS: list[str] = []
