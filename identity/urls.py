"""Sign-in through a connection, and Advanced → Identity provider."""

from django.urls import path

from identity.views import (
    connections,
    initiate,
    proving,
    requiring,
    revocation,
    sign_in,
    sign_out,
    step_up,
    trial,
    waiting,
    ways_in,
)

app_name = "identity"

urlpatterns = [
    path("sso/<row:pk>/start/", sign_in.StartView.as_view(), name="start"),
    path("sso/<row:pk>/callback/", sign_in.CallbackView.as_view(), name="callback"),
    path("sso/step-up/", step_up.start, name="step_up"),
    path("sso/<row:pk>/initiate/", initiate.initiate, name="initiate"),
    path("sso/<row:pk>/logout/front-channel/", sign_out.front_channel, name="front_channel"),
    path("sso/<row:pk>/logout/back-channel/", sign_out.back_channel, name="back_channel"),
    path("sso/<row:pk>/logout/global-token-revocation/", revocation.revoke, name="global_token_revocation"),
    path("logout/", sign_out.logout, name="logout"),
    path("sso/<row:pk>/logout/provider/", sign_out.logout_at_provider, name="logout_at_provider"),
    path("sso/<row:pk>/logout/done/", sign_out.signed_out, name="signed_out"),
    path("advanced/", connections.advanced, name="advanced"),
    path("advanced/identity-provider/", connections.connections, name="connections"),
    path("advanced/identity-provider/new/", connections.choose, name="choose"),
    path("advanced/identity-provider/ways-in/", ways_in.ways_in, name="ways_in"),
    path("advanced/identity-provider/required/", requiring.requiring, name="requiring"),
    path("advanced/identity-provider/required/release/", requiring.released, name="release"),
    path("advanced/identity-provider/waiting/", waiting.waiting, name="waiting"),
    path("advanced/identity-provider/waiting/<row:pk>/", waiting.subject, name="waiting_subject"),
    path("advanced/identity-provider/waiting/<row:pk>/link/", waiting.link, name="link_subject"),
    path("advanced/identity-provider/waiting/<row:pk>/refuse/", waiting.refuse, name="refuse_subject"),
    path("advanced/identity-provider/<row:pk>/", connections.setup, name="setup"),
    path("advanced/identity-provider/<row:pk>/fix/", connections.fix, name="fix"),
    path("advanced/identity-provider/<row:pk>/check/", proving.check, name="check"),
    path("advanced/identity-provider/<row:pk>/test/", trial.start, name="test"),
    path("advanced/identity-provider/<row:pk>/test-result/", proving.test_result, name="test_result"),
    path("advanced/identity-provider/<row:pk>/enable/", proving.enable, name="enable"),
    path("advanced/identity-provider/<row:pk>/disable/", proving.disable, name="disable"),
    path("advanced/identity-provider/<row:pk>/email-rule/", proving.email_rule, name="email_rule"),
    path("advanced/identity-provider/<row:pk>/delete/", connections.discard, name="discard"),
    path("advanced/identity-provider/<row:pk>/return-to/<int:number>/", connections.return_to, name="return_to"),
]
