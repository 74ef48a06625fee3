"""How this provider differs from the toolkit's defaults: claims, refresh tokens, who is let through."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.views import AuthorizationView, ConnectDiscoveryInfoView
from oauthlib.common import Request, add_params_to_uri

from demo.okta import assertions
from demo.okta.models import Sitting

log = logging.getLogger(__name__)
NOT_ASSIGNED = "User is not assigned to the client application."


class Validator(OAuth2Validator):
    """The rules of this provider, on the toolkit's documented hooks."""

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        """Take an assertion, or either of two secrets."""
        if getattr(request, "client_assertion_type", None) == assertions.TYPE:
            try:
                request.client = assertions.proved_by(request.client_assertion or "")
            except assertions.NotProved as refusal:
                log.warning("Client assertion refused: %s", refusal)
                return False
            return True
        if super().authenticate_client(request, *args, **kwargs):
            return True
        if request.client is None or not request.client.second_secret:
            return False
        request.client.client_secret = request.client.second_secret  # Of this request; it is not saved.
        return bool(super().authenticate_client(request, *args, **kwargs))

    def get_additional_claims(self, request: Request) -> dict[str, Any]:
        person = request.user
        return {
            "email": person.email,
            "email_verified": True,
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "preferred_username": person.email,
            "zoneinfo": person.zoneinfo,
        }

    def get_discovery_claims(self, _request: HttpRequest) -> list[str]:
        profile = [
            "name",
            "given_name",
            "family_name",
            "preferred_username",
            "zoneinfo",
            "email",
            "email_verified",
        ]
        return ["iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "sid", *profile]

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Request) -> Any:
        claims, expires_at = super().get_id_token_dictionary(token, token_handler, request)
        sitting = _sitting(request.code or request.refresh_token)
        return claims | {
            "sid": sitting.sid,
            "auth_time": int(sitting.began_at.timestamp()),
            "amr": ["pwd", "mfa", "otp"],
        }, expires_at

    def validate_silent_login(self, _request: Request) -> bool:
        """Allow ``prompt=none``: whoever is not signed in has been refused by the view already."""
        return True

    def validate_silent_authorization(self, _request: Request) -> bool:
        """Allow ``prompt=none`` as to consent, which is never asked for."""
        return True

    def save_authorization_code(
        self, client_id: str, code: dict[str, str], request: Request, *args: Any, **kwargs: Any
    ):
        super().save_authorization_code(client_id, code, request, *args, **kwargs)
        sid, began_at = request.user.sitting
        Sitting.objects.create(handle=Sitting.handle_of(code["code"]), sid=sid, began_at=began_at)

    def save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """Save the tokens; a refresh token only with ``offline_access`` (OpenID Connect Core, section 11)."""
        if "offline_access" not in request.scopes:
            token.pop("refresh_token", None)
        sitting = _sitting(request.code or request.refresh_token)
        super().save_bearer_token(token, request, *args, **kwargs)
        if refresh_token := token.get("refresh_token"):
            Sitting.objects.get_or_create(
                handle=Sitting.handle_of(refresh_token),
                defaults={"sid": sitting.sid, "began_at": sitting.began_at},
            )


def _sitting(credential: str) -> Sitting:
    return Sitting.objects.get(pk=Sitting.handle_of(credential))


class Authorize(AuthorizationView):
    """The authorization endpoint, closed to people the app is not assigned to."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_assigned:
            # Forgotten again, so that another person can be picked next time.
            logout(request)
            return self.refuse("access_denied", NOT_ASSIGNED)
        max_age, elapsed = request.GET.get("max_age", ""), timezone.now() - request.user.last_login
        if max_age.isdecimal() and elapsed.total_seconds() > int(max_age):
            return self.handle_no_permission()
        request.user.sitting = (request.session["sid"], request.user.last_login)
        return super().get(request, *args, **kwargs)

    def handle_no_permission(self) -> HttpResponse:
        """Lead to the sign-in, and back without what asks for one: by then it is satisfied."""
        if self.request.GET.get("prompt") == "none":
            return self.refuse("login_required", "The client specified not to prompt, but the user is not logged in.")
        asked = self.request.GET.copy()
        asked.pop("max_age", None)
        if asked.get("prompt") == "login":
            del asked["prompt"]
        return redirect_to_login(f"{self.request.path}?{asked.urlencode()}", resolve_url(self.get_login_url()))

    def refuse(self, error: str, description: str) -> HttpResponse:
        """Send the person back with an error, if the request itself is in order (RFC 6749, section 4.1.2.1)."""
        try:
            _, credentials = self.validate_authorization_request(self.request)
        except OAuthToolkitError as mistake:
            return self.error_response(mistake, application=None)
        answer = {"error": error, "error_description": description, "iss": oauth2_settings.OIDC_ISS_ENDPOINT}
        if credentials.get("state"):
            answer["state"] = credentials["state"]
        return self.redirect(add_params_to_uri(credentials["redirect_uri"], list(answer.items())), application=None)


class Discovery(ConnectDiscoveryInfoView):
    """The metadata, promising only what the one registered app can use."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        metadata = json.loads(super().get(request, *args, **kwargs).content)
        metadata["id_token_signing_alg_values_supported"] = ["RS256"]
        metadata["grant_types_supported"] = ["authorization_code", "refresh_token"]
        metadata["claims_supported"].sort()
        metadata["token_endpoint_auth_methods_supported"] += ["private_key_jwt"]
        metadata["token_endpoint_auth_signing_alg_values_supported"] = assertions.ALGORITHMS
        return JsonResponse(metadata, headers={"Cache-Control": "max-age=86400, must-revalidate"})
