"""infra/ held against the app. A check yields what it finds wrong; none means that all is well.

Each takes a folder, so that the seeded mistakes can be shown to it too.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from scripts.bicep import Deployment, NotUnderstood, Ref, Resource, Value, deploy, shown

STORAGE = "Microsoft.Storage/storageAccounts"
VAULT = "Microsoft.KeyVault/vaults"
SITE = "Microsoft.Web/sites"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
SETTINGS = "Microsoft.Web/sites/config"

DOMAIN = "mail.contoso.example"


class Infra:
    """What a folder deploys: as it is given, and with each option turned the other way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deployed(self, *, cloud: str = "AzureCloud", **changes: Value) -> Deployment:
        """Return the deployment with these parameters."""
        return deploy(self.folder / "main.bicepparam", cloud=cloud, **changes)

    @cached_property
    def plain(self) -> Deployment:
        return self.deployed()

    @cached_property
    def private(self) -> Deployment:
        return self.deployed(privateNetwork=True)

    @cached_property
    def own_domain(self) -> Deployment:
        return self.deployed(customDomain=DOMAIN)

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Yield every file that has to do with the deployment."""
        for path in sorted(self.folder.rglob("*")):
            if path.suffix in {".bicep", ".bicepparam", ".json", ".kql"}:
                yield path.relative_to(self.folder), path.read_text()


def only(deployment: Deployment, kind: str) -> Resource:
    """Return the one resource of a type."""
    (found,) = deployment.of(kind)
    return found


def app_settings(deployment: Deployment) -> dict[str, Value]:
    """Return the application settings."""
    (found,) = [
        each for each in deployment.of(SETTINGS) if each.name.rpartition("/")[2] == "appsettings"
    ]
    return dict(found.properties)


def vault_of(deployment: Deployment, setting: str) -> Resource | None:
    """Return the vault that a setting names, or None when it names none."""
    value = app_settings(deployment).get(setting)
    if not isinstance(value, Ref) or (value.type, *value.path) != (VAULT, "properties", "vaultUri"):
        return None
    return next((each for each in deployment.of(VAULT) if each.name == value.name), None)


def differs(resource: Resource, wanted: dict[str, object]) -> Iterator[str]:
    """Yield the properties that are not exactly as wanted."""
    for name, value in wanted.items():
        found = resource.properties.get(name)
        if found != value or type(found) is not type(value):
            yield f"{resource.where}: {name} is {shown(found) or 'not said'}"


Check = Callable[[Infra], Iterator[str]]


def findings(infra: Infra, checks: list[Check]) -> list[str]:
    """Return what all *checks* find, each with the name of the check."""
    found = []
    for check in checks:
        try:
            found += [f"{check.__name__}: {each}" for each in check(infra)]
        except (NotUnderstood, KeyError, ValueError, TypeError, AttributeError, OSError) as exc:
            found.append(f"{check.__name__}: cannot be read: {exc!r}")
    return found
