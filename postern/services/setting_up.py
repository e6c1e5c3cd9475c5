"""From an admin's wish to the values of a setup script: checked, with what was left open chosen."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from postern.errors import Malformed
from postern.model.config import Audience, CredentialKind
from postern.model.explanations import explain
from postern.model.setup import PermissionSet, Setup
from postern.model.trust import Deployment
from postern.services.forms import is_guid

LONGEST_NAME = 60

_Choice = TypeVar("_Choice", bound=StrEnum)


class Format(StrEnum):
    """As what the setup is given."""

    SH = "sh"
    POWERSHELL = "powershell"
    PAGE = "page"


class SettingUp:
    """Reads what is asked of `GET /api/setup`."""

    def __init__(self, deployment: Deployment, *, base_url: str, graph_url: str) -> None:
        self._deployment = deployment
        self._base_url = base_url
        self._graph_url = graph_url

    def wanted(self, query: Mapping[str, str]) -> tuple[Setup, Format]:
        """Return the setup and its format.

        Raises:
            Malformed: naming the parameter. Unknown ones too: a misspelt wish is no default.
        """
        known = {"name", "format", "audience", "set", "credential", "tenant"}
        if unknown := sorted(set(query) - known):
            raise Malformed(
                "setup-option-unknown", f"There is no '{unknown[0]}'; there is {_listed(known)}."
            )
        home = self._deployment.tenant_id.lower()
        tenant = query.get("tenant", home).strip().lower()
        if not is_guid(tenant):
            raise Malformed("tenant-id-malformed", "Write 'tenant' as a GUID.")
        kind = CredentialKind.MANAGED_IDENTITY if tenant == home else CredentialKind.CERTIFICATE
        credential = _choice(query, "credential", kind)
        if credential is CredentialKind.MANAGED_IDENTITY and tenant != home:
            raise Malformed("identity-other-tenant", explain("trust-other-tenant"))
        # A blank stands for the plus sign, as a query string has it.
        query = {**query, "set": query.get("set", PermissionSet.FULL).replace(" ", "+")}
        setup = Setup(
            name=_name(query.get("name", "")),
            tenant_id=tenant,
            audience=_choice(query, "audience", Audience.ORGANIZATIONS),
            permission_set=_choice(query, "set", PermissionSet.FULL),
            credential=credential,
            deployment=self._deployment,
            base_url=self._base_url,
            graph_url=self._graph_url,
        )
        return setup, _choice(query, "format", Format.SH)


def _name(text: str) -> str:
    """Return a name that activation takes as well; a line break could end a line of a script."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Malformed(
            "name-malformed",
            f"Give 'name' readable text of at most {LONGEST_NAME} characters: owners will see it.",
        )
    return name


def _choice(query: Mapping[str, str], name: str, default: _Choice) -> _Choice:
    kind, value = type(default), query.get(name, default.value)
    if value not in {each.value for each in kind}:
        raise Malformed("setup-option-unknown", f"'{name}' is one of {_listed(kind)}.")
    return kind(value)


def _listed(words: set[str] | type[StrEnum]) -> str:
    return ", ".join(sorted(str(word) for word in words))
