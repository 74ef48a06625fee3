"""Sign-in through a connection, and Advanced → Identity provider."""

from django.urls import path

from identity.views import sign_in

app_name = "identity"

urlpatterns = [
    path("sso/<str:pk>/start/", sign_in.StartView.as_view(), name="start"),
    path("sso/<str:pk>/callback/", sign_in.CallbackView.as_view(), name="callback"),
]
