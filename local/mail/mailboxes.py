"""What the mail server knows: which mailboxes may use SMTP, who may send as whom, what was sent."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any


def _same(address: str) -> str:
    return address.strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One accepted mail, and the mailbox that was signed in when it came."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    user: str
    subject: str
    body: str
    at: float


def parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def senders(message: EmailMessage) -> list[str]:
    """The addresses a mail claims to be from: Exchange compares these as well."""
    return [address for _, address in getaddresses(map(str, message.get_all("From", [])))]


@dataclass(slots=True)
class Mailboxes:
    spool: Path | None = None
    mails: list[Mail] = field(default_factory=list)
    _switched_off: set[str] = field(default_factory=set)
    _send_as: set[tuple[str, str]] = field(default_factory=set)

    def switch(self, address: str, *, smtp_auth: bool) -> None:
        """Set `SmtpClientAuthenticationDisabled` of a mailbox, as its admin would."""
        if smtp_auth:
            self._switched_off.discard(_same(address))
        else:
            self._switched_off.add(_same(address))

    def smtp_auth_is_off(self, address: str) -> bool:
        return _same(address) in self._switched_off

    def allow_send_as(self, address: str, users: Iterable[str]) -> None:
        """Let these users open and send as a (shared) mailbox."""
        self._send_as |= {(_same(user), _same(address)) for user in users}

    def may_open(self, user: str, address: str) -> bool:
        return _same(user) == _same(address) or (_same(user), _same(address)) in self._send_as

    def accept(
        self, *, mail_from: str, rcpt_to: Iterable[str], user: str, content: bytes, at: float
    ) -> None:
        message = parse(content)
        body = message.get_body(("plain", "html"))
        self.mails.append(
            Mail(
                mail_from=mail_from,
                rcpt_to=tuple(rcpt_to),
                user=user,
                subject=str(message["Subject"] or ""),
                body=body.get_content().replace("\r\n", "\n") if body is not None else "",
                at=at,
            )
        )
        if self.spool is not None:
            self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.spool / f"{at:.6f}-{len(self.mails)}.eml").write_bytes(content)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(mail) for mail in self.mails]
