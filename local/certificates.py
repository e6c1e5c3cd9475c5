"""A throw-away certificate authority, so that everything local speaks real, verified TLS.

Nothing anywhere turns verification off: programs are told to trust this one authority (and no
other) by `Certificates.environment`. Its own key is never written down, so nobody can use it to
make another certificate later.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509

LIFETIME = datetime.timedelta(days=90)
RENEW_BEFORE = datetime.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are. `ca` is also the complete bundle of what local programs trust."""

    ca: Path
    cert: Path
    key: Path

    @property
    def environment(self) -> dict[str, str]:
        """Tell OpenSSL (aiohttp, uvicorn), requests (msal) and Node whom to trust."""
        ca = str(self.ca)
        return {"SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca}


def throw_away(folder: Path) -> Certificates:
    """Return the certificates of a folder: those that are there, or new ones when they grow old."""
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if not _usable(files):
        _make(files)
    return files


def _usable(files: Certificates) -> bool:
    if not (files.ca.exists() and files.cert.exists() and files.key.exists()):
        return False
    expiry = x509.load_pem_x509_certificate(files.cert.read_bytes()).not_valid_after_utc
    return datetime.datetime.now(datetime.UTC) + RENEW_BEFORE < expiry


def _make(files: Certificates) -> None:
    files.ca.parent.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="Postern local stack (throw-away)")
    server = authority.issue_cert(
        "localhost", "127.0.0.1", not_after=datetime.datetime.now(datetime.UTC) + LIFETIME
    )
    files.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(str(files.key))
    server.cert_chain_pems[0].write_to_path(str(files.cert))
    authority.cert_pem.write_to_path(str(files.ca))
