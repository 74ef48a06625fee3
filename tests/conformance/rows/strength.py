"""K7 and IPSIE: what is asked for besides who somebody is, and what providers make of it."""

from __future__ import annotations

from identity.models import Revision
from tests.conformance.acts import GONE, both, claims, honest, times
from tests.conformance.scenario import Act, Row, Scenario, refused, signed_in
from tests.conformance.stage import Stage

K7 = Row("K7")
IPSIE = Row("IPSIE")
STRONG, WEAK, HOUR = "urn:okta:loa:2fa:any", "urn:okta:loa:1fa:any", 3600


def asks(act: Act = honest, **settings: object) -> Act:
    """Have the enterprise ask for something; then do `act`."""

    def arrange(stage: Stage) -> None:
        Revision.objects.filter(pk=stage.connection.serving.pk).update(**settings)

    return both(arrange, act)


weaker, older = refused("acr_mismatch", 403), refused("authentication_too_old", 403)
SCENARIOS: list[Scenario] = [
    K7("acr", "signs in as strongly as it is asked to", asks(claims(acr=STRONG), acr_values=STRONG), signed_in()),
    K7("acr-one-of", "signs in by the second of two ways", asks(claims(acr=STRONG), acr_values=f"urn:x {STRONG}"),
       signed_in()),
    K7("acr-ignored", "does not say how strongly it signed in", asks(acr_values=STRONG), weaker),
    K7("acr-weaker", "signs in less strongly than it is asked to", asks(claims(acr=WEAK), acr_values=STRONG), weaker),
    K7("acr-list", "says a list of ways it signed in", asks(claims(acr=[STRONG]), acr_values=STRONG),
       refused("bad_claim")),
    K7("acr-unasked", "says how strongly it signed in, though nobody asked", claims(acr=WEAK), signed_in()),
    K7("age", "has asked for the password a minute ago", asks(times(auth_time=-60), max_age_minutes=5), signed_in()),
    K7("age-ignored", "remembers a sign-in of an hour ago", asks(times(auth_time=-HOUR), max_age_minutes=5), older),
    K7("age-zero", "remembers a sign-in of five minutes ago, when it was to ask",
       asks(times(auth_time=-300), max_age_minutes=0), older),
    K7("age-absent", "does not say when it asked for the password", asks(claims(auth_time=GONE), max_age_minutes=5),
       refused("missing_claim")),
    K7("age-word", "says that it asked for the password “yesterday”",
       asks(claims(auth_time="yesterday"), max_age_minutes=5), refused("bad_claim")),
    K7("age-unasked", "remembers a sign-in of last year, and nobody minds", times(auth_time=-HOUR * 24 * 365),
       signed_in()),
    IPSIE("expiry", "says that the session ends in an hour", times(session_expiry=HOUR), signed_in()),
    IPSIE("expiry-past", "says that the session ended a second ago", times(session_expiry=-1),
          refused("session_over", 403)),
    IPSIE("expiry-word", "says that the session ends “soon”", claims(session_expiry="soon"), refused("bad_claim")),
    IPSIE("expiry-huge", "says that the session ends after the sun has", claims(session_expiry=2**62),
          refused("bad_claim")),
]  # fmt: skip
