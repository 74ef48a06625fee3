"""Proving the app by a key of its own instead of a secret: private_key_jwt (RFC 7523, section 2.2)."""

from __future__ import annotations

from urllib.parse import urlsplit

import jwt
import requests
from django.conf import settings
from django.db import IntegrityError, transaction

from demo.okta.models import Application, SpentAssertion

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "ES256"]
ISSUER = settings.OAUTH2_PROVIDER["OIDC_ISS_ENDPOINT"]
SECONDS = 5


class NotProved(Exception):
    """The assertion is not the app's, or was used before."""


def published_keys(address: str) -> jwt.PyJWKSet:
    """Return the keys at ``address``. Names below ``localhost`` are this machine's, whether it knows them or not.

    Raises NotProved when nothing usable is there.
    """
    parts = urlsplit(address)
    here = parts._replace(netloc=f"127.0.0.1:{parts.port or 80}").geturl()
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(here, headers={"Host": parts.netloc}, timeout=SECONDS, allow_redirects=False)
            answer.raise_for_status()
            return jwt.PyJWKSet.from_dict(answer.json())
        except (requests.RequestException, ValueError, jwt.PyJWTError) as error:
            raise NotProved(f"No keys at {address}") from error


def proved_by(assertion: str) -> Application:
    """Return the app that ``assertion`` proves, and let it be good for nothing else. Raises NotProved."""
    application = Application.objects.exclude(keys_address="").first()
    if application is None:
        raise NotProved("The app has no keys")
    try:
        kid = jwt.get_unverified_header(assertion).get("kid", "")
        claims = jwt.decode(
            assertion,
            published_keys(application.keys_address)[kid],
            algorithms=ALGORITHMS,
            audience=[ISSUER, f"{ISSUER}/v1/token"],
            issuer=application.client_id,
            subject=application.client_id,
            options={"require": ["exp", "iat", "jti", "sub"]},
        )
        with transaction.atomic():
            SpentAssertion.objects.create(jti=claims["jti"])
    except (jwt.PyJWTError, KeyError, IntegrityError) as error:
        raise NotProved("The assertion does not hold, or was used before") from error
    return application
