"""The hand-over: from a pasted secret to a credential that cannot be copied."""

import base64
import logging
from dataclasses import replace

from postern.errors import ProviderRefused, Unavailable
from postern.model.config import Config, CredentialKind
from postern.model.failure import classify
from postern.model.receipt import Custody
from postern.model.secret import Secret
from postern.model.trust import CREDENTIAL_NAME, Deployment
from postern.ports import Clock, Directory, IdentityProvider, Proof
from postern.services.assertions import Assertions

log = logging.getLogger(__name__)

# What Entra answers while the credential is not there, or not yet known to all its servers.
_NOT_TRUSTED_YET = frozenset({"trust-not-replicated", "trust-mismatch", "certificate-unknown"})

_FORBIDDEN = 403

BY_HAND = (
    "The app may not change its own registration, so the pasted secret is still valid in Entra."
    " Remove it under App registrations > your app > Certificates & secrets > Client secrets."
)
NOT_ANSWERED = (
    "Graph did not answer, so the pasted secret is still valid in Entra. Call verify to try again,"
    " or remove it under App registrations > your app > Certificates & secrets > Client secrets."
)
ENDED_EARLY = (
    "The activation ended before the pasted secret was found in the registration: if it is one of"
    " the app's, it is still valid in Entra. Remove it under App registrations > your app >"
    " Certificates & secrets > Client secrets."
)
AMBIGUOUS = (
    "It cannot be told which of the app's passwords is the pasted one, so none was removed and it"
    " is still valid in Entra. Remove it under App registrations > your app > Certificates &"
    " secrets > Client secrets."
)


class HandOver:
    """Lets the app registration trust our credential, and takes the password away from it."""

    def __init__(
        self,
        *,
        provider: IdentityProvider,
        assertions: Assertions,
        directory: Directory,
        deployment: Deployment,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._assertions = assertions
        self._directory = directory
        self._deployment = deployment
        self._clock = clock

    async def proven(self, config: Config) -> Proof | None:
        """Return the proof that the new credential works, or None while it is not trusted.

        Raises:
            ProviderRefused: for any other reason than missing trust.
        """
        assertion = await self._assertions.current(config, config.tenant_id)
        try:
            return await self._provider.prove_assertion(config.app, assertion)
        except ProviderRefused as refusal:
            if classify(refusal).cause in _NOT_TRUSTED_YET:
                return None
            raise

    async def offer(self, config: Config, graph_token: Secret) -> bool:
        """Add our credential to the registration; False when that is left to an admin.

        Graph's refusal is no failure of the activation: the admin's road stays open.
        """
        try:
            if config.credential is CredentialKind.MANAGED_IDENTITY:
                await self._directory.add_federated_credential(
                    graph_token,
                    config.client_id,
                    name=CREDENTIAL_NAME,
                    issuer=self._deployment.issuer,
                    subject=self._deployment.principal_id,
                )
            elif config.certificate is not None:
                await self._directory.add_certificate(
                    graph_token,
                    config.client_id,
                    name=CREDENTIAL_NAME,
                    der=base64.b64decode(config.certificate.der),
                    start=config.certificate.not_before,
                    end=config.certificate.not_after,
                )
        except (ProviderRefused, Unavailable) as exc:
            log.info("credential not added config=%s why=%s", config.id, exc)
            return False
        return True

    async def find_password(
        self, config: Config, custody: Custody, secret: Secret, graph_token: Secret
    ) -> Custody:
        """Note which password of the registration is the pasted one, while we have it."""
        try:
            key_id = await self._directory.password_id(graph_token, config.client_id, secret)
        except (ProviderRefused, Unavailable) as exc:
            log.info("password not looked up config=%s why=%s", config.id, exc)
            return replace(custody, entra_note=_why(exc))
        return replace(custody, entra_key_id=key_id, entra_note="" if key_id else AMBIGUOUS)

    async def remove_password(self, config: Config, custody: Custody, proof: Proof) -> Custody:
        """Remove the pasted password from the registration, now that another credential works."""
        if custody.entra_key_id is None or custody.entra_removed_at is not None:
            return custody
        try:
            await self._without_password(config, custody.entra_key_id, proof.graph_token)
        except (ProviderRefused, Unavailable) as exc:
            log.warning("password not removed config=%s why=%s", config.id, exc)
            return replace(custody, entra_note=_why(exc))
        return replace(custody, entra_removed_at=self._clock.now(), entra_note="")

    async def _without_password(self, config: Config, key_id: str, graph_token: Secret) -> None:
        """Remove the password; after a lost answer look again, since it may be gone by now."""
        try:
            await self._directory.remove_password(graph_token, config.client_id, key_id)
        except Unavailable:
            await self._directory.remove_password(graph_token, config.client_id, key_id)


def _why(failure: ProviderRefused | Unavailable) -> str:
    refused = isinstance(failure, ProviderRefused) and failure.status == _FORBIDDEN
    return BY_HAND if refused else NOT_ANSWERED
