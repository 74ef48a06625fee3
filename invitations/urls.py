"""Invitations: for those who send them, and for those who get them."""

from django.urls import path

from invitations.views import invite, opening, sent, switch

app_name = "invitations"

urlpatterns = [
    path("users/invite/", invite.invite, name="invite"),
    path("invitations/", sent.index, name="list"),
    path("invitations/open/", opening.opened, name="opened"),
    path("invitations/accept/", opening.accept, name="accept"),
    path("invitations/<row:pk>/resend/", sent.resend, name="resend"),
    path("invitations/<row:pk>/revoke/", sent.revoke, name="revoke"),
    path("invitations/<str:token>/", opening.open_link, name="open"),
    path("advanced/switch/", switch.migrate, name="migrate"),
    path("advanced/switch/begin/", switch.begin, name="switch_begin"),
    path("advanced/switch/<row:pk>/", switch.switch, name="switch"),
    path("advanced/switch/<row:pk>/revoke/", switch.switch_revoke, name="switch_revoke"),
    path("advanced/switch/<row:pk>/delete/", switch.switch_delete, name="switch_delete"),
    path("advanced/switch/<row:pk>/email/", switch.switch_email, name="switch_email"),
    path("advanced/switch/<row:pk>/invite/", switch.switch_invite, name="switch_invite"),
    path("advanced/switch/<row:pk>/give-up/", switch.switch_give_up, name="switch_give_up"),
]
