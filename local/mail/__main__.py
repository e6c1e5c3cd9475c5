"""Starts the mail server: `python -m local.mail --help`."""

import argparse
import asyncio
import ssl
from pathlib import Path

from local import bearer
from local.mail import smtp
from local.mail.control import Control
from local.mail.mailboxes import Mailboxes
from local.mail.xoauth2 import AUDIENCE, Authenticator
from local.serving import Clock, listen, port_of, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.mail",
        description="An SMTP submission server as strict as Exchange. For development only.",
    )
    parser.add_argument("--port", type=int, required=True, help="SMTP; 0 takes any free port")
    parser.add_argument("--control-port", type=int, default=0, help="HTTPS; 0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--entra", required=True, help="where Entra's signing keys are")
    parser.add_argument("--spool", type=Path, help="a folder that also gets accepted mails")
    parser.add_argument("--send-as", action="append", default=[], metavar="USER=MAILBOX")
    return parser.parse_args()


async def _main(given: argparse.Namespace) -> None:
    entra = given.entra.rstrip("/")
    mailboxes, clock = Mailboxes(given.spool), Clock()
    for option in given.send_as:
        user, _, mailbox = option.partition("=")
        mailboxes.allow_send_as(mailbox, [user])
    handler = smtp.Handler(
        Authenticator(
            hostname="localhost",
            # Exchange serves every tenant, hence the keys of all of them.
            keys=bearer.SigningKeys(entra, "common"),
            expected=bearer.Expected(entra=entra, audience=AUDIENCE),
            mailboxes=mailboxes,
            clock=clock,
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given.cert, given.key)
    bound = listen(given.port, given.host)
    server = await smtp.listen(handler, bound, context)
    control = listen(given.control_port, given.host)
    ready = f"smtp://127.0.0.1:{port_of(bound)} control=https://127.0.0.1:{port_of(control)}"
    app = Control(mailboxes=mailboxes, handler=handler, clock=clock).app()
    try:
        await serve(app, control, given.cert, given.key, ready)
    finally:
        server.close()


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
