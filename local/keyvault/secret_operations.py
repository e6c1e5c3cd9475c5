"""What the service does with secrets. `exp` and `nbf` are informational: reading goes on."""

from dataclasses import replace
from typing import Any

from local.keyvault.calls import Answer, Call, Operation
from local.keyvault.errors import VaultError, refuse_forbidden, refuse_parameter
from local.keyvault.records import SecretVersion, new_attributes, new_version, read_tags
from local.keyvault.soft_operations import SoftOperations, described
from local.keyvault.vault import Vault

_MAX_BYTES, _MAX_CONTENT_TYPE = 25 * 1024, 255


def _describe(vault: Vault, at: str, secret: SecretVersion) -> dict[str, Any]:
    described_secret: dict[str, Any] = {
        "id": at,
        "attributes": described(secret.attributes, vault.rules),
        "tags": secret.tags,
    }
    if secret.content_type is not None:
        described_secret["contentType"] = secret.content_type
    return described_secret


def _entry(vault: Vault, call: Call, place: str, secret: SecretVersion) -> dict[str, Any]:
    return _describe(vault, f"{call.base}/secrets/{place}", secret)


def _bundle(vault: Vault, call: Call, secret: SecretVersion) -> dict[str, Any]:
    return _entry(vault, call, f"{call.name}/{secret.version}", secret)


def _content_type(given: Any) -> str | None:
    if given is not None and (not isinstance(given, str) or len(given) > _MAX_CONTENT_TYPE):
        refuse_parameter("Property contentType has invalid value")
    return given


def set_secret(vault: Vault, call: Call) -> Answer:
    value = call.text("value")
    if len(value.encode()) > _MAX_BYTES:
        refuse_parameter("The value of a secret is at most 25k bytes.")
    secret = SecretVersion(
        version=new_version(),
        value=value,
        attributes=new_attributes(call.body.get("attributes"), vault.clock.now()),
        content_type=_content_type(call.body.get("contentType")),
        tags=read_tags(call.body.get("tags")),
    )
    vault.secrets.add(call.name, secret)
    return 200, _bundle(vault, call, secret) | {"value": value}


def get_secret(vault: Vault, call: Call) -> Answer:
    secret = vault.secrets.version(call.name, call.version)
    if not secret.attributes.enabled:
        refuse_forbidden("Operation get is not allowed on a disabled secret.", "SecretDisabled")
    return 200, _bundle(vault, call, secret) | {"value": secret.value}


def update_secret(vault: Vault, call: Call) -> Answer:
    """Change what surrounds a value; a value itself only changes by a new version."""
    if "value" in call.body:
        refuse_parameter("Property value cannot be updated")
    secret = vault.secrets.version(call.name, call.version)
    secret = replace(
        secret,
        attributes=secret.attributes.changed_by(call.body.get("attributes"), vault.clock.now()),
        content_type=_content_type(call.body.get("contentType", secret.content_type)),
        tags=read_tags(call.body.get("tags", secret.tags)),
    )
    vault.secrets.replace(call.name, secret)
    return 200, _bundle(vault, call, secret)


def _no_backup(vault: Vault, call: Call) -> Answer:
    # A backup outlives a purge, so a proof of removal could not stand if there were any.
    raise VaultError(400, "NotSupported", f"{vault.name} is a stand-in that makes no backups.")


_SOFT: SoftOperations[SecretVersion] = SoftOperations(
    word="secrets",
    shelf=lambda vault: vault.secrets,
    bundle=_bundle,
    entry=_entry,
)

OPERATIONS = (
    Operation(
        method="PUT",
        path="/secrets/{name}",
        right="secrets/set",
        perform=set_secret,
        changes=True,
    ),
    Operation(
        method="POST", path="/secrets/{name}/backup", right="secrets/backup", perform=_no_backup
    ),
    *_SOFT.all(),
    Operation(method="GET", path="/secrets/{name}", right="secrets/get", perform=get_secret),
    Operation(
        method="GET",
        path="/secrets/{name}/{version:maybe}",
        right="secrets/get",
        perform=get_secret,
    ),
    Operation(
        method="PATCH",
        path="/secrets/{name}/{version:maybe}",
        right="secrets/update",
        perform=update_secret,
        changes=True,
    ),
)
