"""``python -m demo.mail FOLDER SMTP_PORT WEB_PORT``: catches mail on one port, shows it on the other."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from pathlib import Path

import django
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from demo.mail.box import Box


class Sink:
    """Takes everything for everyone."""

    def __init__(self, box: Box) -> None:
        self.box = box

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.box.keep(envelope.original_content or b"", envelope.rcpt_tos)
        return "250 Caught"


def configure(folder: Path) -> None:
    settings.configure(
        FOLDER=folder,
        SECRET_KEY=secrets.token_urlsafe(32),
        ALLOWED_HOSTS=["127.0.0.1", "localhost", *os.environ.get("DEMO_MAIL_HOSTS", "").split()],
        ROOT_URLCONF="demo.mail.views",
        INSTALLED_APPS=["demo.mail", "django.contrib.staticfiles"],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "whitenoise.middleware.WhiteNoiseMiddleware",
            "demo.mail.views.guard",
            # Refuses a Host that is not ours, as a page elsewhere would have by way of DNS.
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        # Cookies of 127.0.0.1 are shared by all its ports.
        CSRF_COOKIE_NAME="demo_mail_csrf",
        TIME_ZONE="UTC",
        STATIC_URL="/static/",
        WHITENOISE_USE_FINDERS=True,
    )
    django.setup()


def main(folder: Path, smtp_port: int, web_port: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    configure(folder)
    host = os.environ.get("DEMO_MAIL_BIND", "127.0.0.1")
    sink = Controller(Sink(Box(folder)), hostname=host, port=smtp_port)
    sink.start()
    web = ThreadedWSGIServer((host, web_port), WSGIRequestHandler, ipv6=False)
    web.daemon_threads = True
    web.set_app(get_wsgi_application())
    # shutdown() waits for the loop it ends, so it is called beside it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=web.shutdown).start())
    print(f"SMTP on {host}:{smtp_port}, page on http://{host}:{web_port}", flush=True)
    web.serve_forever()
    sink.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]))
