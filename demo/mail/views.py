"""The page to read caught mail, and one that plays an authenticator app. What a message contains is never trusted."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from demo.mail.box import Box, Caught
from demo.mail.codes import Codes, NoKey, seconds_left

BOX = Box(settings.FOLDER)
CODES = Codes(settings.FOLDER)
# Links may open a tab of their own; scripts, forms and anything from elsewhere are out.
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'"


def caught(key: str) -> Caught:
    message = BOX.get(key)
    if message is None:
        raise Http404(key)
    return message


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    response = render(request, "mail/inbox.html", {"messages": BOX.all()})
    response["Refresh"] = "5"
    return response


@require_safe
def as_json(_request: HttpRequest) -> HttpResponse:
    """Give scripts the same: newest first."""
    return JsonResponse(
        [
            {
                "id": message.key,
                "to": message.to,
                "from": message.sender,
                "subject": message.subject,
                "text": message.part("plain"),
                "html": message.part("html"),
            }
            for message in BOX.all()
        ],
        safe=False,
    )


@require_safe
def message(request: HttpRequest, key: str) -> HttpResponse:
    letter = caught(key)
    kind = request.GET.get("as")
    if kind not in ("html", "text", "source"):
        kind = "html" if letter.part("html") else "text"
    context = {"message": letter, "kind": kind, "text": letter.part("plain"), "source": letter.message.as_string()}
    return render(request, "mail/message.html", context)


@require_safe
def letter(_request: HttpRequest, key: str) -> HttpResponse:
    """Serve the HTML of a message, for the frame on its page."""
    content = '<!doctype html><base target="_blank">' + caught(key).part("html")
    return HttpResponse(content, headers={"Content-Security-Policy": LETTER_POLICY, "Referrer-Policy": "no-referrer"})


@require_http_methods(["GET", "HEAD", "POST"])
def codes(request: HttpRequest) -> HttpResponse:
    """Show the codes of now, again when there are new ones; POST adds a key."""
    is_wrong = False
    if request.method == "POST":
        try:
            CODES.add(request.POST.get("key", ""))
        except NoKey:
            is_wrong = True
        else:
            return redirect("codes")
    left = seconds_left()
    shown = {"codes": CODES.now(), "left": left, "is_wrong": is_wrong}
    response = render(request, "mail/codes.html", shown, status=422 if is_wrong else 200)
    if shown["codes"] and not is_wrong:
        response["Refresh"] = str(left + 1)
    return response


@require_POST
def forget_codes(_request: HttpRequest) -> HttpResponse:
    CODES.clear()
    return redirect("codes")


@require_POST
def clear(_request: HttpRequest) -> HttpResponse:
    BOX.clear()
    return redirect("inbox")


def guard(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Content-Security-Policy", PAGE_POLICY)
        response["Cache-Control"] = "no-store"
        return response

    return middleware


urlpatterns = [
    path("", inbox, name="inbox"),
    path("messages.json", as_json, name="json"),
    path("codes/", codes, name="codes"),
    path("codes/forget/", forget_codes, name="forget_codes"),
    path("clear/", clear, name="clear"),
    path("<slug:key>/", message, name="message"),
    path("<slug:key>/letter/", letter, name="letter"),
]
