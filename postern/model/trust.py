"""What an admin adds to the app registration so that it trusts our credential."""

import base64
import json
import shlex
import textwrap
from dataclasses import dataclass, replace

from postern.model.cloud import PUBLIC
from postern.model.config import Config, CredentialKind

CREDENTIAL_NAME = "postern"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The managed identity that the deployment runs as. *principal_id* is case-sensitive."""

    tenant_id: str
    client_id: str
    principal_id: str
    issuer: str
    exchange_audience: str = PUBLIC.exchange_audience


def trust_to_add(config: Config, deployment: Deployment) -> dict[str, object]:
    """Return the portal's fields and an `az` command for the config's credential."""
    if config.credential is CredentialKind.MANAGED_IDENTITY:
        return _federated(config, deployment)
    return _certificate(config)


def _federated(config: Config, deployment: Deployment) -> dict[str, object]:
    credential = {
        "name": CREDENTIAL_NAME,
        "issuer": deployment.issuer,
        "subject": deployment.principal_id,
        "audiences": [deployment.exchange_audience],
    }
    parameters = shlex.quote(json.dumps(credential))
    return {
        "kind": config.credential.value,
        "where": "Entra admin center > App registrations > your app > Certificates & secrets"
        " > Federated credentials > Add credential > Other issuer",
        "fields": credential,
        "az": f"az ad app federated-credential create --id {config.client_id}"
        f" --parameters {parameters}",
    }


def _certificate(config: Config) -> dict[str, object]:
    return {
        "kind": config.credential.value,
        "where": "Entra admin center > App registrations > your app > Certificates & secrets"
        " > Certificates > Upload certificate",
        "certificate": certificate_pem(config),
        "save_certificate_as": "postern.pem",
        "az": f"az ad app credential reset --id {config.client_id} --append --cert @postern.pem",
    }


def certificate_to_add(config: Config) -> dict[str, object] | None:
    """Return the next certificate for an admin to add; None when none waits for that."""
    coming = config.next_certificate
    if coming is None or coming.added is not None or coming.proven is not None:
        return None
    return {
        **_certificate(replace(config, certificate=coming.certificate)),
        "download": f"/api/configs/{config.id}/certificate?which=next",
        "ends": coming.certificate.not_after,
    }


def certificate_pem(config: Config) -> str:
    """Return the config's public certificate as PEM."""
    if config.certificate is None:
        return ""
    body = base64.b64encode(base64.b64decode(config.certificate.der)).decode()
    lines = "\n".join(textwrap.wrap(body, 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
