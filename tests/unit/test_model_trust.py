"""What an admin is told to add: pasted into a shell, it says exactly what it shows."""

import base64
import json
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from postern.crypto.certificates import self_signed
from postern.model.branding import Branding
from postern.model.cloud import PUBLIC
from postern.model.config import Audience, Certificate, Config, ConfigState, CredentialKind
from postern.model.scopes import Protocol
from postern.model.trust import Deployment, certificate_pem, trust_to_add
from tests.unit.test_crypto_certificates import PRIVATE, signer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLIENT_ID = "c0000000-0000-4000-8000-0000000000aa"
DEPLOYMENT = Deployment(
    tenant_id="c0000000-0000-4000-8000-000000000001",
    client_id="1d000000-0000-4000-8000-00000000000c",
    principal_id="1D000000-0000-4000-8000-00000000000A",
    issuer="https://login.microsoftonline.com/c0000000-0000-4000-8000-000000000001/v2.0",
)
HOSTILE = "'; touch pwned; echo $(id) `id` \"\\ \n é"
CONFIG = Config(
    id="abcd2345",
    name=HOSTILE,
    client_id=CLIENT_ID,
    tenant_id=DEPLOYMENT.tenant_id,
    audience=Audience.ORGANIZATIONS,
    protocols=tuple(Protocol),
    branding=Branding(product=HOSTILE),
    state=ConfigState.AWAITING_TRUST,
    created=NOW,
    changed=NOW,
    activation="activation",
    credential=CredentialKind.MANAGED_IDENTITY,
)


def parameters(command: str) -> dict[str, object]:
    """Read an `az` command as a shell does, and return its credential."""
    words = shlex.split(command)
    assert words[:5] == ["az", "ad", "app", "federated-credential", "create"]
    assert words[5:8] == ["--id", CLIENT_ID, "--parameters"]
    assert len(words) == 9
    return dict(json.loads(words[8]))


def test_a_managed_identity_is_trusted_as_it_is_written():
    told = trust_to_add(CONFIG, DEPLOYMENT)
    assert told["kind"] == "managed-identity"
    assert told["fields"] == {
        "name": "postern",
        "issuer": DEPLOYMENT.issuer,
        "subject": "1D000000-0000-4000-8000-00000000000A",  # Entra compares the case
        "audiences": [PUBLIC.exchange_audience],
    }
    assert parameters(str(told["az"])) == told["fields"]


@given(st.text(), st.text())
def test_no_name_escapes_from_the_command(issuer, subject):
    hostile = replace(DEPLOYMENT, issuer=issuer, principal_id=subject)
    told = trust_to_add(CONFIG, hostile)
    assert parameters(str(told["az"])) == told["fields"]


def test_a_real_shell_reads_the_command_as_we_do(tmp_path):
    hostile = replace(DEPLOYMENT, issuer=HOSTILE, principal_id=HOSTILE)
    told = trust_to_add(CONFIG, hostile)
    az = "az() { printf '%s\\0' \"$@\"; }; "
    output = subprocess.run(
        ["/bin/sh", "-c", az + str(told["az"])], capture_output=True, check=True, cwd=tmp_path
    ).stdout
    assert json.loads(output.decode().split("\0")[-2]) == told["fields"]
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_configurations_name_is_in_the_command():
    assert "pwned" not in json.dumps(trust_to_add(CONFIG, DEPLOYMENT))


async def test_a_certificate_is_told_as_a_file_that_az_reads():
    der = await self_signed(
        public_key=PRIVATE.public_key(),
        name="Contoso abcd2345",
        serial=7,
        not_before=NOW,
        not_after=NOW.replace(year=2027),
        sign=signer(PRIVATE),
    )
    certificate = Certificate(
        der=base64.b64encode(der).decode(),
        key_version="1",
        not_before=NOW,
        not_after=NOW.replace(year=2027),
    )
    config = replace(CONFIG, credential=CredentialKind.CERTIFICATE, certificate=certificate)
    told = trust_to_add(config, DEPLOYMENT)
    assert told["kind"] == "certificate"
    assert x509.load_pem_x509_certificate(str(told["certificate"]).encode()).serial_number == 7
    assert max(map(len, str(told["certificate"]).splitlines())) == 64
    words = shlex.split(str(told["az"]))
    assert words[:7] == ["az", "ad", "app", "credential", "reset", "--id", CLIENT_ID]
    # Without --append, az would remove every other credential of the app.
    assert words[7:] == ["--append", "--cert", "@postern.pem"]


@pytest.mark.parametrize("kind", CredentialKind)
def test_both_kinds_say_where_to_click(kind):
    told = trust_to_add(replace(CONFIG, credential=kind), DEPLOYMENT)
    assert "Certificates & secrets" in str(told["where"])


def test_without_a_certificate_there_is_no_pem():
    assert certificate_pem(CONFIG) == ""
