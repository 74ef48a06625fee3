"""Invitations: for those who send them, and for those who get them."""

from django.urls import path

from invitations.views import batches, dry_run, invite, moves, opening, sent, switch

app_name = "invitations"

urlpatterns = [
    path("users/invite/", invite.invite, name="invite"),
    path("invitations/", sent.index, name="list"),
    path("invitations/open/", opening.opened, name="opened"),
    path("invitations/accept/", opening.accept, name="accept"),
    path("invitations/<row:pk>/resend/", sent.resend, name="resend"),
    path("invitations/<row:pk>/revoke/", sent.revoke, name="revoke"),
    path("invitations/<str:token>/", opening.open_link, name="open"),
    path("switch/", moves.opened, name="move_opened"),
    path("switch/<str:token>/", moves.open_link, name="move_open"),
    path("advanced/switch/", dry_run.dry_run, name="dry_run"),
    path("advanced/switch/download/", dry_run.download, name="dry_run_download"),
    path("advanced/switch/begin/", dry_run.begin, name="batch_begin"),
    path("advanced/switch/confirm/", dry_run.confirm_again, name="confirm_again"),
    path("advanced/switch/batches/", batches.batches, name="batches"),
    path("advanced/switch/batches/<row:pk>/", batches.batch, name="batch"),
    path("advanced/switch/batches/<row:pk>/progress/", batches.batch_progress, name="batch_progress"),
    path("advanced/switch/batches/<row:pk>/remind/", batches.remind, name="batch_remind"),
    path("advanced/switch/batches/<row:pk>/undo/", batches.undo, name="batch_undo"),
    path("advanced/switch/people/<row:pk>/remind/", batches.move_remind, name="move_remind"),
    path("advanced/switch/people/<row:pk>/undo/", batches.move_undo, name="move_undo"),
    # The documented way, one at a time (M6).
    path("advanced/switch/step-by-step/", switch.migrate, name="migrate"),
    path("advanced/switch/step-by-step/begin/", switch.begin, name="switch_begin"),
    path("advanced/switch/step-by-step/<row:pk>/", switch.switch, name="switch"),
    path("advanced/switch/step-by-step/<row:pk>/revoke/", switch.switch_revoke, name="switch_revoke"),
    path("advanced/switch/step-by-step/<row:pk>/delete/", switch.switch_delete, name="switch_delete"),
    path("advanced/switch/step-by-step/<row:pk>/email/", switch.switch_email, name="switch_email"),
    path("advanced/switch/step-by-step/<row:pk>/invite/", switch.switch_invite, name="switch_invite"),
    path("advanced/switch/step-by-step/<row:pk>/give-up/", switch.switch_give_up, name="switch_give_up"),
]
