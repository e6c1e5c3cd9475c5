"""The mail server accepts what Exchange accepts and refuses the rest in Exchange's words."""

import base64
import http.server
import json
import os
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local.sender import send
from tests.local.issuer import AUDIENCE_OUTLOOK, TENANT, Issuer, issuer, stand_in

ANNA, BERT, SHARED = "anna@contoso.example", "bert@contoso.example", "office@contoso.example"
UNSUCCESSFUL = "5.7.3 Authentication unsuccessful"


@dataclass(frozen=True)
class MailServer:
    issuer: Issuer
    port: int
    control: str

    def token(self, **claims: Any) -> str:
        mine = {"aud": AUDIENCE_OUTLOOK, "scp": "IMAP.AccessAsUser.All SMTP.Send", "upn": ANNA}
        return self.issuer.token(**mine | claims)

    def send(self, token: str, user: str = ANNA, subject: str = "Hello") -> None:
        to = "customer@fabrikam.example"
        send("127.0.0.1", self.port, user, token, to, subject, "Grüße\n", str(self.issuer.ca))

    def connect(self, *, tls: bool = True) -> smtplib.SMTP:
        server = smtplib.SMTP("127.0.0.1", self.port, timeout=10)
        if tls:
            server.starttls(context=ssl.create_default_context(cafile=str(self.issuer.ca)))
        server.ehlo()
        return server

    def sign_in(self, server: smtplib.SMTP, token: str, user: str = ANNA) -> None:
        server.auth("XOAUTH2", lambda challenge=None: f"user={user}\x01auth=Bearer {token}\x01\x01")

    def asked(self, method: str, path: str, body: Any = None) -> Any:
        url, ca = f"{self.control}/_control/{path}", str(self.issuer.ca)
        answer = requests.request(method, url, json=body, verify=ca, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def subjects(self) -> list[str]:
        return [mail["subject"] for mail in self.asked("GET", "messages")]

    def refuses(self, token: str, user: str = ANNA) -> str:
        """Try to sign in; return the reason an admin would find."""
        subject = uuid.uuid4().hex
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            self.send(token, user, subject)
        assert refused.value.smtp_code == 535
        assert UNSUCCESSFUL in said(refused.value)
        assert subject not in self.subjects()
        return str(self.asked("GET", "refusals")[-1]["reason"])


def said(refused: smtplib.SMTPResponseException) -> str:
    text = refused.smtp_error
    return text.decode() if isinstance(text, bytes) else text


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail") / "spool"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, spool: Path) -> Iterator[MailServer]:
    with (
        issuer(tmp_path_factory.mktemp("issuer")) as made,
        stand_in("local.mail", made, "--spool", str(spool)) as ready,
    ):
        smtp, control = ready.split()
        yield MailServer(made, int(smtp.rpartition(":")[2]), control.removeprefix("control="))


def test_a_good_token_sends_a_mail_that_can_be_read(server: MailServer, spool: Path):
    subject = uuid.uuid4().hex
    server.send(server.token(), subject=subject)
    mail = server.asked("GET", "messages")[-1]
    assert mail.pop("at") == pytest.approx(time.time(), abs=30)
    assert mail == {
        "mail_from": ANNA,
        "rcpt_to": ["customer@fabrikam.example"],
        "user": ANNA,
        "subject": subject,
        "body": "Grüße\n",
    }
    assert any(subject in file.read_text() for file in spool.iterdir())


def test_a_token_as_long_as_entras_is_not_a_line_too_long(server: MailServer):
    server.send(server.token(padding="x" * 4000), subject="long token")
    assert "long token" in server.subjects()


def test_the_user_may_be_named_in_another_case_or_by_preferred_username(server: MailServer):
    server.send(server.token(upn=None, preferred_username=ANNA), user=ANNA.upper())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "https://graph.microsoft.com"}, "audience"),
        ({"exp": int(time.time()) - 1}, "time"),
        ({"nbf": int(time.time()) + 600}, "time"),
        ({"scp": "IMAP.AccessAsUser.All"}, "scope"),
        ({"scp": "Not.SMTP.Send"}, "scope"),
        ({"iss": "https://login.example.com/"}, "issuer"),
        ({"upn": BERT}, "user"),
        ({"upn": None}, "user"),
        ({"forged": True}, "signature"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_token_that_is_wrong_in_one_thing_is_refused(
    server: MailServer, claims: dict[str, Any], reason: str
):
    assert server.refuses(server.token(**claims)).startswith(f"{reason}:")


@pytest.mark.parametrize(
    "response",
    [
        b"\xff\xfe",
        b"user=anna",
        b"auth=Bearer x\x01user=a\x01\x01",
        b"user=a\x01auth=Basic x\x01\x01",
        b"user=a\x01auth=Bearer \x01\x01",
    ],
)
def test_a_malformed_response_is_refused(server: MailServer, response: bytes):
    with server.connect() as connection:
        code, text = connection.docmd("AUTH", f"XOAUTH2 {base64.b64encode(response).decode()}")
        assert (code, UNSUCCESSFUL in text.decode()) == (535, True)


def test_a_response_may_follow_an_empty_challenge(server: MailServer):
    with server.connect() as connection:
        assert connection.docmd("AUTH", "XOAUTH2") == (334, b"")
        response = f"user={ANNA}\x01auth=Bearer {server.token()}\x01\x01".encode()
        assert connection.docmd(base64.b64encode(response).decode())[0] == 235


def test_tls_comes_before_anything_else_and_xoauth2_is_all_there_is(server: MailServer):
    with server.connect(tls=False) as connection:
        assert connection.has_extn("starttls")
        assert not connection.has_extn("auth")
        assert connection.docmd("AUTH", "XOAUTH2 eA==")[0] == 530
        assert connection.docmd("MAIL", f"FROM:<{ANNA}>")[0] == 530
    with server.connect() as connection:
        assert connection.esmtp_features["auth"].split() == ["XOAUTH2"]
        assert connection.docmd("AUTH", "PLAIN AGEAYg==")[0] == 504
        with pytest.raises(smtplib.SMTPException, match="No suitable authentication method"):
            connection.login(ANNA, "password")


def test_no_mail_without_authentication(server: MailServer):
    with server.connect() as connection:
        code, text = connection.mail(ANNA)
        assert (code, text.decode()[:42]) == (530, "5.7.57 Client not authenticated to send ma")


@pytest.mark.parametrize(
    ("envelope", "header"), [(BERT, ANNA), (ANNA, BERT)], ids=["envelope", "header"]
)
def test_a_mail_from_somebody_else_is_denied(server: MailServer, envelope: str, header: str):
    subject = uuid.uuid4().hex
    with server.connect() as connection:
        server.sign_in(connection, server.token())
        with pytest.raises(smtplib.SMTPDataError) as refused:
            connection.sendmail(envelope, ["x@y.example"], f"From: {header}\nSubject: {subject}\n")
    assert refused.value.smtp_code == 554
    assert said(refused.value).startswith("5.2.252 SendAsDenied")
    assert subject not in server.subjects()


def test_a_shared_mailbox_is_opened_with_its_members_token(server: MailServer):
    assert server.refuses(server.token(), SHARED).startswith("user:")
    server.asked("POST", "mailboxes", {"address": SHARED, "send_as": [ANNA]})
    server.send(server.token(), SHARED, "from the office")
    assert "from the office" in server.subjects()
    assert server.refuses(server.token(upn=BERT), SHARED).startswith("user:")


def test_a_mailbox_whose_smtp_is_switched_off_says_so(server: MailServer):
    token = server.token(upn=BERT)
    server.asked("POST", "mailboxes", {"address": BERT, "smtp_auth": False})
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        server.send(token, BERT)
    assert "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for" in said(
        refused.value
    )
    server.asked("POST", "mailboxes", {"address": BERT, "smtp_auth": True})
    server.send(token, BERT)


def test_a_second_connection_does_not_disturb_the_first(server: MailServer):
    with server.connect() as first, server.connect() as second:
        server.sign_in(first, server.token(padding="x" * 2000))
        server.sign_in(second, server.token(upn=BERT), BERT)
        first.sendmail(ANNA, ["x@y.example"], f"From: {ANNA}\nSubject: first\n")
    assert "first" in server.subjects()


def test_neither_mails_nor_refusals_show_a_token(server: MailServer):
    token = server.token()
    server.send(token)
    server.refuses(token, BERT)
    told = json.dumps([server.asked("GET", "messages"), server.asked("GET", "refusals")])
    assert token.split(".")[1] not in told


def test_it_binds_to_the_loopback_address_only(server: MailServer):
    made = server.issuer
    command = [sys.executable, "-m", "local.mail", "--port", "0", "--host", "0.0.0.0"]  # noqa: S104
    command += ["--cert", str(made.cert), "--key", str(made.key), "--entra", made.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode != 0
    assert "loopback address only" in ended.stderr


class Postern(http.server.BaseHTTPRequestHandler):
    """The one route of the application the sender needs."""

    token = ""
    asked: tuple[dict[str, Any], str | None] = ({}, None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked = (body, self.headers["Authorization"])
        good = self.path == "/api/token" and body["mailbox"] == "c1.m1"
        answer = (
            {"access_token": self.token, "token_type": "Bearer", "username": ANNA}
            if good
            else {"error": "mailbox-unknown", "description": "No such mailbox."}
        )
        text = json.dumps(answer).encode()
        self.send_response(200 if good else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def postern(server: MailServer) -> Iterator[str]:
    Postern.token = server.token()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.issuer.cert, server.issuer.key)
    with http.server.HTTPServer(("127.0.0.1", 0), Postern) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def sender(server: MailServer, app: str, mailbox: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.sender", "--app", app, "--mailbox", mailbox]
    command += ["--to", "bob@fabrikam.example", "--subject", "by the sender"]
    command += ["--smtp", f"127.0.0.1:{server.port}", "--ca", str(server.issuer.ca)]
    environment = {**os.environ, "POSTERN_API_KEY": "key-of-the-test"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=20, check=False
    )


def test_the_sender_fetches_a_token_and_sends_without_showing_it(server: MailServer, postern: str):
    ended = sender(server, postern, "c1.m1")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"sent to bob@fabrikam.example as {ANNA}\n"
    assert "by the sender" in server.subjects()
    assert Postern.asked == (
        {"mailbox": "c1.m1", "protocol": "smtp", "minimum_seconds": 300},
        "Bearer key-of-the-test",
    )


def test_the_sender_repeats_why_there_is_no_token(server: MailServer, postern: str):
    ended = sender(server, postern, "c1.other")
    assert ended.returncode == 1
    assert "No such mailbox." in ended.stderr


def test_the_sender_repeats_what_the_mail_server_said(server: MailServer, postern: str):
    Postern.token = server.token(scp="Mail.Send")
    ended = sender(server, postern, "c1.m1")
    assert ended.returncode == 1
    assert UNSUCCESSFUL in ended.stderr
    assert Postern.token not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_the_tenant_of_a_mailbox_may_be_any(server: MailServer):
    other = str(uuid.uuid4())
    assert other != TENANT
    server.send(server.token(tid=other, iss=f"https://sts.windows.net/{other}/"))


def test_an_aborted_connection_leaves_the_server_well(server: MailServer):
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.recv(100)
        raw.sendall(b"EHLO x\r\nSTARTTLS\r\nnot a handshake\r\n")
    server.send(server.token())
