"""The Django project and the shell of the console."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
