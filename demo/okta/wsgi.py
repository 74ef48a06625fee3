"""The WSGI application of the demo Okta."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
