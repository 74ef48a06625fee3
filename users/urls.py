"""The entrance, one's own account, people, and the parts of an enterprise they belong to."""

from django.urls import path, register_converter

from audit.ids import RowId
from users.models import Role
from users.views import (
    account,
    acts,
    break_glass,
    entrance,
    factors,
    links,
    local_sign_in,
    organizations,
    people,
    person,
    recovery,
    roles,
    second_factor,
    session,
    session_limits,
    sign_up,
    step_up,
    who_can,
)


class RoleKey(RowId):
    """The path converter for a role: the word for a built-in one, the id of one of the enterprise's own."""

    regex = f"{'|'.join(Role.values)}|{RowId.regex}"


register_converter(RoleKey, "role")

app_name = "users"
urlpatterns = [
    path("signup/", sign_up.sign_up, name="signup"),
    path("signup/address/", sign_up.address, name="signup_address"),
    path("e/<slug:slug>/", entrance.enterprise, name="enterprise"),
    path("e/<slug:slug>/local/", entrance.local, name="local"),
    path("e/<slug:slug>/local/factor/", second_factor.factor, name="factor"),
    path("e/<slug:slug>/local/enrol/", second_factor.enrol, name="enrol"),
    path("e/<slug:slug>/local/enrol/passkey/", second_factor.enrol_passkey, name="enrol_passkey"),
    path("e/<slug:slug>/local/forgotten/", entrance.forgotten, name="forgotten"),
    path("confirm/<row:pk>/<str:token>/", links.confirm, name="confirm"),
    path("reset/", links.reset_password, name="reset_password"),
    path("reset/<row:pk>/<str:token>/", links.reset_link, name="reset"),
    path("recovery/", recovery.recover, name="recover"),
    path("recovery/<str:token>/", recovery.open_link, name="recovery"),
    path("account/", account.account, name="account"),
    path("account/profile/", account.profile, name="profile"),
    path("account/password/", account.change_password, name="change_password"),
    path("account/app/", factors.add_app, name="add_app"),
    path("account/app/remove/", factors.remove_app, name="remove_app"),
    path("account/passkeys/add/", factors.add_passkey, name="add_passkey"),
    path("account/passkeys/<row:pk>/rename/", factors.rename_passkey, name="rename_passkey"),
    path("account/passkeys/<row:pk>/remove/", factors.remove_passkey, name="remove_passkey"),
    path("account/recovery-codes/", factors.new_codes, name="new_codes"),
    path("account/confirmation/", links.send_confirmation, name="send_confirmation"),
    path("account/sessions/end/", account.end_other_sessions, name="end_other_sessions"),
    path("account/sessions/<row:handle>/end/", account.end_session, name="end_session"),
    path("account/prove/", step_up.prove, name="prove"),
    path("account/session/", session.left, name="session_left"),
    path("account/session/stay/", session.stay, name="session_stay"),
    path("account/held/", step_up.held, name="held"),
    path("account/held/<row:pk>/discard/", step_up.discard, name="held_discard"),
    path("users/", people.people_list, name="list"),
    path("users/disable/", people.bulk_disable, name="bulk_disable"),
    path("users/roles/give/", people.bulk_give_role, name="bulk_give_role"),
    path("users/roles/revoke/", people.bulk_revoke_role, name="bulk_revoke_role"),
    path("users/who-can/", who_can.who_can, name="who_can"),
    path("users/<row:pk>/", person.detail, name="detail"),
    path("users/<row:pk>/abilities/", person.abilities, name="abilities"),
    path("users/<row:pk>/activity/", person.activity, name="activity"),
    path("users/<row:pk>/email/", acts.change_email, name="change_email"),
    path("users/<row:pk>/email/take/", acts.take_email, name="take_email"),
    path("users/<row:pk>/email/keep/", acts.keep_email, name="keep_email"),
    path("users/<row:pk>/disable/", acts.disable, name="disable"),
    path("users/<row:pk>/enable/", acts.enable, name="enable"),
    path("users/<row:pk>/delete/", acts.delete, name="delete"),
    path("users/<row:pk>/roles/give/", acts.give_role, name="give_role"),
    path("users/<row:pk>/roles/revoke/", acts.revoke_roles, name="revoke_roles"),
    path("users/<row:pk>/roles/<row:assignment_pk>/revoke/", acts.revoke_role, name="revoke_role"),
    path("users/<row:pk>/second-factor/reset/", acts.reset_factors, name="reset_factors"),
    path("users/<row:pk>/sessions/end/", acts.end_sessions, name="end_person_sessions"),
    path("users/<row:pk>/sessions/<row:handle>/end/", acts.end_session, name="end_person_session"),
    path("advanced/sessions/", session_limits.session_limits, name="session_limits"),
    path("advanced/break-glass/", break_glass.break_glass, name="break_glass"),
    path("advanced/break-glass/add/", break_glass.add, name="break_glass_add"),
    path("advanced/break-glass/<row:pk>/retire/", break_glass.retire, name="break_glass_retire"),
    path("advanced/break-glass/<row:pk>/link/", break_glass.send_link, name="break_glass_link"),
    path("advanced/local-sign-in/", local_sign_in.local_sign_in, name="local_sign_in"),
    path("organizations/", organizations.organizations, name="organizations"),
    path("organizations/create/", organizations.create, name="organization_create"),
    path("organizations/<row:pk>/rename/", organizations.rename, name="organization_rename"),
    path("organizations/<row:pk>/delete/", organizations.delete, name="organization_delete"),
    path("advanced/roles/", roles.roles, name="roles"),
    path("advanced/roles/create/", roles.create, name="role_create"),
    path("advanced/roles/<role:key>/", roles.role, name="role"),
    path("advanced/roles/<role:key>/people/", roles.pick_people, name="role_people"),
    path("advanced/roles/<row:key>/edit/", roles.edit, name="role_edit"),
    path("advanced/roles/<row:key>/unassign/", roles.unassign, name="role_unassign"),
    path("advanced/roles/<row:key>/delete/", roles.delete, name="role_delete"),
]
