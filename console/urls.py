"""The whole URL map."""

from django.urls import include, path

from console.views import health

console_patterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

urlpatterns = [
    path("", include((console_patterns, "console"))),
]

handler400 = health.bad_request
handler403 = health.forbidden
handler404 = health.not_found
handler500 = health.server_error
