"""The worker's application; its settings are Django's, prefixed ``CELERY_``."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_the_web_does(**_: Any) -> None:
    """Connecting here keeps Celery from configuring logs of its own."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
