"""A new configuration on paper: its credential is chosen, its keys and certificate are made."""

import secrets
import uuid

from postern.errors import Malformed
from postern.model.config import Config, ConfigState, CredentialKind
from postern.model.explanations import explain
from postern.model.trust import Deployment
from postern.model.wanted import Wanted
from postern.ports import Clock
from postern.services.assertions import Assertions
from postern.services.custody import CustodyKeeper
from postern.services.keyrings import KeyRings

_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Drafting:
    """Drafts configurations."""

    def __init__(
        self,
        *,
        custody: CustodyKeeper,
        assertions: Assertions,
        rings: KeyRings,
        deployment: Deployment,
        clock: Clock,
    ) -> None:
        self._custody = custody
        self._assertions = assertions
        self._rings = rings
        self._deployment = deployment
        self._clock = clock

    async def draft(
        self, wanted: Wanted, *, with_secret: bool, succeeds: Config | None = None
    ) -> Config:
        """Return the row of a new configuration, `validating`; nothing is stored yet.

        One that *succeeds* another has its id and its data keys: what these sealed must open.

        Raises:
            Malformed: the wanted credential could never be trusted by this app.
        """
        now = self._clock.now()
        activation = str(uuid.uuid4())
        kind, reason = self._choose(wanted)
        config_id = succeeds.id if succeeds else _new_id()
        data_keys = succeeds.data_keys if succeeds else (await self._rings.new_key(),)
        certificate = None
        if kind is CredentialKind.CERTIFICATE:
            certificate = await self._assertions.new_certificate(
                f"Postern {config_id} {wanted.name}"
            )
        intake = self._custody.plan(activation) if with_secret else None
        return Config(
            id=config_id,
            name=wanted.name.strip(),
            client_id=wanted.client_id.lower(),
            tenant_id=wanted.tenant_id.lower(),
            audience=wanted.audience,
            protocols=wanted.protocols,
            branding=wanted.branding,
            state=ConfigState.VALIDATING,
            created=succeeds.created if succeeds else now,
            changed=now,
            activation=activation,
            credential=kind,
            credential_reason=reason,
            certificate=certificate,
            data_keys=data_keys,
            allowed_tenants=tuple(tenant.lower() for tenant in wanted.allowed_tenants),
            return_urls=wanted.return_urls,
            intake=intake.name if intake else None,
            intake_deadline=intake.deadline if intake else None,
        )

    def _choose(self, wanted: Wanted) -> tuple[CredentialKind, str]:
        at_home = wanted.tenant_id.lower() == self._deployment.tenant_id.lower()
        if wanted.credential is CredentialKind.MANAGED_IDENTITY and not at_home:
            raise Malformed("identity-other-tenant", explain("trust-other-tenant"))
        if wanted.credential is not None:
            return wanted.credential, "as asked"
        if at_home:
            return CredentialKind.MANAGED_IDENTITY, "the app is registered in our own tenant"
        return (
            CredentialKind.CERTIFICATE,
            "the app is registered in another tenant, whose apps cannot trust our identity",
        )


def _new_id() -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
