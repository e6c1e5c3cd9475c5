"""AUTH XOAUTH2: takes the client's answer apart and decides whose mailbox it opens.

Every refusal reads the same to the client, as with Exchange; the reason is kept for whoever asks
the control interface, since "535 5.7.3" alone has cost people days.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from local import bearer
from local.mail.mailboxes import Mailboxes
from local.serving import Clock

AUDIENCE = "https://outlook.office.com"
_SCOPE = "SMTP.Send"


class AuthRefused(Exception):
    """Not signed in; `answer` is what the client is told, `reason` what an admin would find."""

    def __init__(self, answer: str, reason: str) -> None:
        super().__init__(reason)
        self.answer, self.reason = answer, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    hostname: str
    keys: bearer.SigningKeys
    expected: bearer.Expected
    mailboxes: Mailboxes
    clock: Clock

    async def mailbox(self, encoded: str) -> str:
        """The mailbox that this XOAUTH2 response signs in to."""
        address, unverified = self._decode(encoded)
        try:
            claims = await bearer.verify(unverified, self.keys, self.expected, self.clock)
        except bearer.TokenRefused as refused:
            self._refuse(str(refused))
        if _SCOPE not in str(claims.get("scp", "")).split():
            self._refuse(f"scope: {_SCOPE} is not granted")
        user = _user(claims)
        if not user or not self.mailboxes.may_open(user, address):
            self._refuse("user: the token is not for this mailbox")
        if self.mailboxes.smtp_auth_is_off(address):
            answer = (
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled "
                "for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. "
                f"[{self.hostname}]"
            )
            raise AuthRefused(answer, "switched off: SmtpClientAuthentication is disabled")
        return address

    def _decode(self, encoded: str) -> tuple[str, str]:
        # user=<address>^Aauth=Bearer <token>^A^A
        try:
            fields = base64.b64decode(encoded, validate=True).decode().split("\x01")
        except (binascii.Error, UnicodeDecodeError):
            self._refuse("malformed: not base64")
        match fields:
            case [user, auth, "", ""] if user.startswith("user="):
                scheme, _, token = auth.removeprefix("auth=").partition(" ")
                if auth.startswith("auth=") and scheme.lower() == "bearer" and token:
                    return user.removeprefix("user="), token
        self._refuse("malformed: not user=, auth=Bearer and two ends")

    def _refuse(self, reason: str) -> NoReturn:
        answer = f"535 5.7.3 Authentication unsuccessful [{self.hostname}]"
        raise AuthRefused(answer, reason)


def _user(claims: Mapping[str, Any]) -> str:
    return str(claims.get("upn") or claims.get("preferred_username") or "")
