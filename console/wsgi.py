"""What gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
application = get_wsgi_application()

# What has been loaded by now stays: the collector need not walk through it again and again. Requests make many
# short-lived objects, which reference counting frees by itself; cycles among them can wait a little.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
