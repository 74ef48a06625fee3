"""Chromium's virtual authenticator, through CDP: a device that answers passkeys without a finger."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page


class VirtualAuthenticator:
    """Answers for every tab of the window ``page`` belongs to, as long as that tab is open."""

    def __init__(self, page: Page) -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        self._id = self._cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                    "isUserVerified": True, "automaticPresenceSimulation": True,
                }
            },
        )["authenticatorId"]  # fmt: skip

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        return self._send("getCredentials")["credentials"]

    def turn_back(self) -> None:
        """Let it be a copy of itself from before its last use: the same keys, counting from 0."""
        for passkey in self.passkeys:
            self._send("removeCredential", credentialId=passkey["credentialId"])
            self._send("addCredential", credential={**passkey, "signCount": 0})

    def refuse(self, is_refusing: bool = True) -> None:
        """From now on nobody puts a finger on it."""
        self._send("setUserVerified", isUserVerified=not is_refusing)

    def _send(self, command: str, **parameters: Any) -> Any:
        return self._cdp.send(f"WebAuthn.{command}", {"authenticatorId": self._id, **parameters})
