"""The whole URL map."""

from django.urls import include, path, register_converter

from audit.ids import RowId
from console.views import audit, dashboard, enterprise, errors, health
from invitations import tracking
from users.views import entrance

register_converter(RowId, "row")

console_patterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("login/", entrance.find_enterprise, name="login"),
    path("audit/", audit.audit_log, name="audit"),
    path("audit/download/", audit.download, name="audit_download"),
    path("advanced/enterprise/", enterprise.enterprise, name="enterprise"),
    path("advanced/enterprise/export/", enterprise.export, name="export"),
    path("advanced/enterprise/close/", enterprise.close, name="close"),
    path("closed/", enterprise.closed, name="closed"),
    path("closed/reopen/", enterprise.reopen, name="reopen"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

urlpatterns = [
    path("", include("identity.urls")),  # First, as its first are the busiest: patterns are tried one after another.
    path("", include((console_patterns, "console"))),
    path("", include("users.urls")),
    path("", include("invitations.urls")),
    path("anymail/", include((tracking.urls(), "anymail"))),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
