"""Addresses in Okta's manner, under the names the toolkit looks for."""

from django.urls import include, path
from oauth2_provider import views as toolkit

from demo.okta import provider, views

oauth2 = (
    [
        path(
            ".well-known/openid-configuration",
            provider.Discovery.as_view(),
            name="oidc-connect-discovery-info",
        ),
        path("v1/authorize", provider.Authorize.as_view(), name="authorize"),
        path("v1/token", toolkit.TokenView.as_view(), name="token"),
        path("v1/userinfo", toolkit.UserInfoView.as_view(), name="user-info"),
        path("v1/keys", toolkit.JwksInfoView.as_view(), name="jwks-info"),
        path("v1/revoke", toolkit.RevokeTokenView.as_view(), name="revoke-token"),
        path("v1/introspect", toolkit.IntrospectTokenView.as_view(), name="introspect"),
        path("v1/logout", toolkit.RPInitiatedLogoutView.as_view(), name="rp-initiated-logout"),
    ],
    "oauth2_provider",
)

urlpatterns = [
    path("", views.home, name="home"),
    path("signin/", views.sign_in, name="sign-in"),
    path("forget/", views.forget, name="forget"),
    path("outage/", views.outage, name="outage"),
    path("secrets/", views.client_secrets, name="secrets"),
    path("keys/", views.keys, name="keys"),
    path("oauth2/default/", include(oauth2)),
]
