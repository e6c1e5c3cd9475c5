"""The smallest program that sends mail through Postern; read it to write your own.

It asks Postern for an access token and hands that token to the mail server. It never sees a
password or a refresh token, and never prints or stores what it was given.

    export POSTERN_API_KEY=...     # not an option: other users can read a process's arguments
    python -m local.sender --app https://postern.example --mailbox ID --to bob@example.com
"""

import argparse
import email.message
import email.utils
import http.client
import json
import os
import smtplib
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit


def send(
    host: str,
    port: int,
    username: str,
    access_token: str,
    to: str,
    subject: str,
    text: str,
    ca_file: str | None = None,
) -> None:
    """Send one mail by SMTP with XOAUTH2; raises `smtplib.SMTPException` when refused."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = username, to, subject
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = email.utils.make_msgid(domain=username.rpartition("@")[2])
    message.set_content(text)

    def xoauth2(challenge: bytes | None = None) -> str:
        # After a refusal some servers explain in a challenge, which wants an empty answer.
        return "" if challenge else f"user={username}\x01auth=Bearer {access_token}\x01\x01"

    with smtplib.SMTP(host, port, timeout=30) as server:
        server.starttls(context=ssl.create_default_context(cafile=ca_file))
        server.ehlo()
        server.auth("XOAUTH2", xoauth2)
        server.send_message(message, from_addr=username)


def fetch_token(app: str, api_key: str, mailbox: str, ca_file: str | None = None) -> dict[str, Any]:
    """Ask Postern for a token of `mailbox` that is good for SMTP for five minutes at least."""
    where = urlsplit(app)
    if where.scheme != "https" or where.hostname is None:
        msg = "The application is reached over https only: an API key goes to it."
        raise SystemExit(msg)
    context = ssl.create_default_context(cafile=ca_file)
    connection = http.client.HTTPSConnection(
        where.hostname, where.port or 443, timeout=60, context=context
    )
    wanted = {"mailbox": mailbox, "protocol": "smtp", "minimum_seconds": 300}
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    try:
        connection.request(
            "POST", f"{where.path.rstrip('/')}/api/token", json.dumps(wanted), headers
        )
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        # Refusals say what to do (409: reconnect the mailbox), and hold no secret.
        msg = f"No token ({answer.status}): {body.decode(errors='replace')}"
        raise SystemExit(msg)
    token: dict[str, Any] = json.loads(body)
    return token


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.sender",
        description="Fetches a token from Postern and sends one mail with it. "
        "The API key comes from the environment, as POSTERN_API_KEY.",
    )
    parser.add_argument("--app", required=True, help="Postern's address, https://...")
    parser.add_argument("--mailbox", required=True, help="the mailbox's id in Postern")
    parser.add_argument("--to", required=True)
    parser.add_argument("--subject", default="Sent through Postern")
    parser.add_argument("--text", default="This mail was sent with a token from Postern.\n")
    parser.add_argument("--smtp", default="smtp.office365.com:587", metavar="HOST:PORT")
    parser.add_argument("--ca", metavar="FILE", help="trust this authority (the local stack's)")
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    api_key = os.environ.get("POSTERN_API_KEY")
    if not api_key:
        sys.exit("POSTERN_API_KEY is not set.")
    token = fetch_token(given.app, api_key, given.mailbox, given.ca)
    if token.get("warning"):
        print(f"warning: {token['warning']}", file=sys.stderr)
    host, _, port = given.smtp.partition(":")
    try:
        send(
            host,
            int(port or 587),
            token["username"],
            token["access_token"],
            given.to,
            given.subject,
            given.text,
            given.ca,
        )
    except smtplib.SMTPResponseException as refused:
        said = refused.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        msg = f"The mail server refused: {refused.smtp_code} {text}"
        raise SystemExit(msg) from None
    print(f"sent to {given.to} as {token['username']}")


if __name__ == "__main__":
    main()
