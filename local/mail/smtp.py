"""The SMTP side: TLS first, then XOAUTH2, then only mails from the mailbox that is signed in."""

import asyncio
import logging
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from local.mail.mailboxes import parse, senders
from local.mail.xoauth2 import Authenticator, AuthRefused

# RFC 4954 section 4: an AUTH line may be this long, and tokens need it; aiosmtpd's own limit of
# 512 would refuse every real token.
_AUTH_LINE, _TEXT_LINE = 12_288, 1_001

# It warns of its own deprecated attribute at every sign-in.
logging.getLogger("mail.log").setLevel(logging.ERROR)


@dataclass(slots=True)
class Handler:
    """What aiosmtpd asks at each command."""

    authenticator: Authenticator
    refusals: list[dict[str, Any]] = field(default_factory=list)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        # Without an initial response the client waits for an empty challenge first.
        encoded = args[1] if len(args) > 1 else await _ask(server)
        try:
            mailbox = await self.authenticator.mailbox(encoded)
        except AuthRefused as refused:
            at = self.authenticator.clock.now()
            self.refusals.append({"at": at, "reason": refused.reason})
            return AuthResult(success=False, handled=False, message=refused.answer)
        return AuthResult(success=True, auth_data=mailbox)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return (
                f"530 5.7.57 Client not authenticated to send mail. [{self.authenticator.hostname}]"
            )
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Exchange finds out about a foreign sender here, after the whole mail, not at MAIL."""
        user, content = str(session.auth_data), envelope.original_content or b""
        claimed = [str(envelope.mail_from), *senders(parse(content))]
        mailboxes = self.authenticator.mailboxes
        for address in claimed:
            if not mailboxes.may_open(user, address):
                return (
                    f"554 5.2.252 SendAsDenied; {user} not allowed to send as {address}; "
                    "STOREDRV.Submission.Exception:SendAsDeniedException"
                )
        mailboxes.accept(
            mail_from=str(envelope.mail_from),
            rcpt_to=envelope.rcpt_tos,
            user=user,
            content=content,
            at=self.authenticator.clock.now(),
        )
        return f"250 2.0.0 OK [Hostname={self.authenticator.hostname}]"


async def _ask(server: SMTP) -> str:
    await server.push("334 ")
    line: bytes = await server._reader.readline()
    return line.strip().decode("ascii", "replace")


class _Submission(SMTP):
    """One connection. Exchange offers PLAIN and LOGIN no more, so neither does this."""

    def __init__(self, handler: Handler, context: ssl.SSLContext) -> None:
        self.line_length_limit = _AUTH_LINE  # the reader's limit is fixed by the constructor
        super().__init__(
            handler,
            hostname=handler.authenticator.hostname,
            ident="Postern development mail server",
            tls_context=context,
            require_starttls=True,
            auth_require_tls=True,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            timeout=60,
            loop=asyncio.get_running_loop(),
        )
        self.line_length_limit = _TEXT_LINE
        # The library's limits are shared by all connections, and emptied by every new one.
        self.command_size_limits = defaultdict(lambda: 512, {"AUTH": _AUTH_LINE})


async def listen(handler: Handler, bound: Any, context: ssl.SSLContext) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(
        lambda: _Submission(handler, context), sock=bound
    )
