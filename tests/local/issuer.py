"""A token issuer small enough to read: signing keys over HTTPS, and tokens signed by them.

The tests of the vault and the mail server use it instead of the Entra stand-in, so that a fault in
one stand-in cannot hide a fault in another.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
AUDIENCE_VAULT = "https://vault.azure.net"
AUDIENCE_OUTLOOK = "https://outlook.office.com"


@dataclass
class Issuer:
    """Publishes the public halves of `keys` under any tenant's path."""

    url: str = ""
    ca: Path = field(default_factory=Path)
    cert: Path = field(default_factory=Path)
    key: Path = field(default_factory=Path)
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    fetches: int = 0

    def new_key(self) -> str:
        kid = uuid.uuid4().hex
        self.keys[kid] = rsa.generate_private_key(65537, 2048)
        return kid

    def jwks(self) -> bytes:
        published = [
            RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": published}).encode()

    def token(self, *, kid: str | None = None, forged: bool = False, **claims: Any) -> str:
        """A token; `forged` signs it with a key that was never published."""
        now = int(time.time())
        kid = kid or next(iter(self.keys))
        payload = {
            "aud": AUDIENCE_VAULT,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "tid": TENANT,
            "oid": str(uuid.uuid4()),
            "nbf": now - 5,
            "iat": now - 5,
            "exp": now + 3600,
        } | claims
        key = rsa.generate_private_key(65537, 2048) if forged else self.keys[kid]
        return jwt.encode(payload, key, "RS256", headers={"kid": kid})


@contextmanager
def issuer(directory: Path) -> Iterator[Issuer]:
    """Serve an issuer, with a throw-away authority whose files are left in `directory`."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    made = Issuer(ca=directory / "ca.pem", cert=directory / "cert.pem", key=directory / "key.pem")
    authority.cert_pem.write_to_path(made.ca)
    leaf.private_key_pem.write_to_path(made.key)
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(made.cert, append=number > 0)
    made.new_key()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.fetches += 1
            body = made.jwks()
            self.send_response(200 if self.path.endswith("/discovery/v2.0/keys") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def stand_in(module: str, made: Issuer, *options: str) -> Iterator[str]:
    """Run a stand-in as `make run` does; yield what follows "ready" on its one line."""
    command = [sys.executable, "-m", module, "--port", "0", "--entra", made.url]
    command += ["--cert", str(made.cert), "--key", str(made.key), *options]
    environment = {**os.environ, "SSL_CERT_FILE": str(made.ca)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, _, ready = process.stdout.readline().strip().partition(" ")
            assert word == "ready", "the stand-in did not start: see its error output"
            yield ready
        finally:
            process.terminate()
            assert process.wait(5) == 0, "the stand-in did not end quietly on SIGTERM"
