"""The peers' Django: PEER is `floor` or `mozilla`. Plain defaults, as a project begins with."""

import os
from urllib.parse import urlsplit

PEER = os.environ["PEER"]
ISSUER = os.environ["ISSUER"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
SECRET_KEY = "of no use to anyone, but fifty characters long: " + "x" * 20
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.peer.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages",
]  # fmt: skip
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
_database = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": _database.hostname, "PORT": _database.port,
        "USER": _database.username, "PASSWORD": _database.password, "NAME": _database.path[1:], "CONN_MAX_AGE": 600,
    }
}  # fmt: skip
LOGIN_REDIRECT_URL = "/landing/"
if PEER == "mozilla":
    INSTALLED_APPS += ["mozilla_django_oidc"]
    AUTHENTICATION_BACKENDS = ["mozilla_django_oidc.auth.OIDCAuthenticationBackend"]
    OIDC_RP_CLIENT_ID, OIDC_RP_CLIENT_SECRET, OIDC_RP_SIGN_ALGO = CLIENT_ID, CLIENT_SECRET, "RS256"
    OIDC_OP_AUTHORIZATION_ENDPOINT = f"{ISSUER}/authorize"
    OIDC_OP_TOKEN_ENDPOINT = f"{ISSUER}/token"
    OIDC_OP_USER_ENDPOINT = f"{ISSUER}/userinfo"
    OIDC_OP_JWKS_ENDPOINT = f"{ISSUER}/jwks"
    OIDC_USE_PKCE = True
