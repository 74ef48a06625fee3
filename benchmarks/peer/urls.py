"""What both peers serve, and the floor: the least a correct code + PKCE sign-in can do with plain Django."""

import base64
import hashlib
import os
import secrets
import threading
from urllib.parse import urlencode

import jwt
import requests
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import include, path
from requests.adapters import HTTPAdapter

REQUIRED = ["exp", "iat", "iss", "aud", "sub", "nonce"]
http = requests.Session()
http.mount("https://", HTTPAdapter(pool_maxsize=8))
http.verify = os.environ["SSL_CERT_FILE"]
keys: dict[str, jwt.PyJWK] = {}
lock = threading.Lock()


def start(request: HttpRequest) -> HttpResponse:
    state, nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    request.session["attempt"] = [state, nonce, verifier]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": settings.CLIENT_ID, "scope": "openid email profile", "state": state,
        "redirect_uri": request.build_absolute_uri("/callback/"), "nonce": nonce, "code_challenge": challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    return HttpResponseRedirect(f"{settings.ISSUER}/authorize?{urlencode(asked)}")


def key_of(token: str) -> jwt.PyJWK:
    kid = jwt.get_unverified_header(token)["kid"]
    if kid not in keys:
        with lock:
            found = http.get(f"{settings.ISSUER}/jwks", timeout=5, allow_redirects=False).json()
            keys.update({key["kid"]: jwt.PyJWK(key) for key in found["keys"]})
    return keys[kid]


def callback(request: HttpRequest) -> HttpResponse:
    state, nonce, verifier = request.session.pop("attempt", ["", "", ""])
    if not state or not secrets.compare_digest(state, request.GET.get("state", "")):
        return HttpResponseBadRequest()
    form = {
        "grant_type": "authorization_code", "code": request.GET["code"], "code_verifier": verifier,
        "redirect_uri": request.build_absolute_uri("/callback/"), "client_id": settings.CLIENT_ID,
        "client_secret": settings.CLIENT_SECRET,
    }  # fmt: skip
    answer = http.post(f"{settings.ISSUER}/token", data=form, timeout=5, allow_redirects=False)
    if answer.status_code != 200:
        return HttpResponseBadRequest()
    token = answer.json()["id_token"]
    claims = jwt.decode(
        token, key_of(token), algorithms=["RS256"], audience=settings.CLIENT_ID, issuer=settings.ISSUER,
        options={"require": REQUIRED},
    )  # fmt: skip
    if not secrets.compare_digest(claims["nonce"], nonce):
        return HttpResponseBadRequest()
    users = get_user_model().objects
    user = users.filter(username=claims["sub"]).first() or users.create(username=claims["sub"], email=claims["email"])
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponseRedirect("/landing/")


def landing(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return HttpResponse(f"<!doctype html><title>Account</title><p>Signed in as {request.user.email}</p>")


urlpatterns = [path("landing/", landing)]
if settings.PEER == "floor":
    urlpatterns += [path("start/", start), path("callback/", callback)]
else:
    urlpatterns += [path("oidc/", include("mozilla_django_oidc.urls"))]
