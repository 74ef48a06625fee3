"""Invitations: for those who send them, and for those who get them."""

from django.urls import path

from invitations.views import invite, opening, sent

app_name = "invitations"

urlpatterns = [
    path("users/invite/", invite.invite, name="invite"),
    path("invitations/", sent.index, name="list"),
    path("invitations/open/", opening.opened, name="opened"),
    path("invitations/accept/", opening.accept, name="accept"),
    path("invitations/<row:pk>/resend/", sent.resend, name="resend"),
    path("invitations/<row:pk>/revoke/", sent.revoke, name="revoke"),
    path("invitations/<str:token>/", opening.open_link, name="open"),
]
