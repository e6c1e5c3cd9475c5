"""Preflight: everything about a configuration's app that can be looked at before an owner does.

It rests on a real exchange with the present credential, and on what Graph lets the app read of its
own registration. What was not seen is `not-checked`, with why: never `ok`.
"""

from datetime import datetime, timedelta

from postern.errors import NotFound, ProviderRefused, Unavailable
from postern.model.config import Config
from postern.model.explanations import EXPLANATIONS
from postern.model.failure import classify
from postern.model.preflight import Check, Report, failed, not_checked, ok
from postern.model.trust import Deployment
from postern.ports import Clock, Directory, IdentityProvider, Proof
from postern.services import registered
from postern.services.assertions import Assertions
from postern.stores.configs import ConfigStore

# What each answer of Entra says of the three; a credential is looked at last.
_EXCHANGE = ("tenant", "app", "credential")
_NO_TENANT = frozenset({"tenant-unknown", "tenant-malformed"})
_NO_APP = frozenset({"app-unknown", "app-disabled", "app-not-in-tenant"})
_NO_CREDENTIAL = frozenset({"certificate-unknown", "trust-not-replicated", "trust-mismatch"})
# Past this the next certificate should have been trusted for a month.
_ENDS_SOON = timedelta(days=30)


class Preflight:
    """Looks, and changes nothing."""

    def __init__(
        self,
        *,
        configs: ConfigStore,
        provider: IdentityProvider,
        assertions: Assertions,
        directory: Directory,
        deployment: Deployment,
        clock: Clock,
        redirect_uri: str,
    ) -> None:
        self._configs = configs
        self._provider = provider
        self._assertions = assertions
        self._directory = directory
        self._deployment = deployment
        self._clock = clock
        self._redirect_uri = redirect_uri

    async def run(self, config_id: str) -> Report:
        """Make every check of a configuration."""
        config = await self._configs.get(config_id)
        if config is None:
            raise NotFound("config-unknown", "There is no such configuration.")
        proof, correlation, exchanged = await self._exchange(config)
        end = _end(config, self._clock.now() + _ENDS_SOON)
        listed = await self._listed(config, proof)
        return Report(
            config=config.id,
            checked=self._clock.now(),
            correlation_id=correlation,
            checks=(*exchanged, end, *listed),
        )

    async def _exchange(self, config: Config) -> tuple[Proof | None, str | None, tuple[Check, ...]]:
        try:
            assertion = await self._assertions.current(config, config.tenant_id)
            proof = await self._provider.prove_assertion(config.app, assertion)
        except ProviderRefused as refusal:
            return None, refusal.correlation_id, _refused(classify(refusal).cause)
        except Unavailable as exc:
            return None, None, tuple(not_checked(name, exc.description) for name in _EXCHANGE)
        whys = (
            "Entra knows the tenant.",
            "Entra knows the app, and it may sign in there.",
            f"Entra accepted the {config.credential} just now.",
        )
        checks = tuple(ok(name, why) for name, why in zip(_EXCHANGE, whys, strict=True))
        return proof, proof.correlation_id, checks

    async def _listed(self, config: Config, proof: Proof | None) -> tuple[Check, ...]:
        if proof is None:
            return _unseen("Reading the registration takes a credential that works.")
        try:
            registration = await self._directory.registration(proof.graph_token, config.client_id)
        except Unavailable as exc:
            return _unseen(exc.description)
        except ProviderRefused as refusal:
            return _unseen(_closed(refusal.status), _BY_HAND)
        return registered.judge(
            registration,
            config,
            deployment=self._deployment,
            redirect_uri=self._redirect_uri,
            now=self._clock.now(),
        )


_BY_HAND = (
    "Look for yourself under Entra admin center > App registrations > your app, or let the app read"
    " its registration: Application.ReadWrite.OwnedBy, with its service principal as an owner."
)


def _closed(status: int) -> str:
    if status == 403:
        return "Graph does not let the app read its own registration (403)."
    if status == 404:
        return "Graph finds no registration of the app in this tenant (404)."
    return f"Graph refused to show the registration ({status})."


def _unseen(why: str, repair: str | None = None) -> tuple[Check, ...]:
    return tuple(not_checked(name, why, repair) for name in registered.NAMES)


def _refused(cause: str) -> tuple[Check, ...]:
    """Tell what a refusal shows: to refuse a credential, Entra has found tenant and app."""
    explained = EXPLANATIONS[cause]
    tenant, app, credential = _EXCHANGE
    fault = (explained.cause, explained.repair)
    if cause in _NO_TENANT:
        later = "Entra did not come that far: it does not know the tenant."
        return failed(tenant, *fault), not_checked(app, later), not_checked(credential, later)
    found = ok(tenant, "Entra knows the tenant.")
    if cause in _NO_APP:
        later = "Entra did not come that far: it did not take the app."
        return found, failed(app, *fault), not_checked(credential, later)
    if cause in _NO_CREDENTIAL:
        return found, ok(app, "Entra knows the app."), failed(credential, *fault)
    if cause.startswith("credential-") or cause == "trust-other-tenant":
        unsaid = "Entra refused the credential without saying more."
        return not_checked(tenant, unsaid), not_checked(app, unsaid), failed(credential, *fault)
    return tuple(not_checked(name, *fault) for name in _EXCHANGE)


def _end(config: Config, soon: datetime) -> Check:
    name = "credential-end"
    if config.certificate is None:
        return ok(name, "A managed identity does not end.")
    ends = f"The certificate ends on {config.certificate.not_after:%Y-%m-%d}."
    coming = config.next_certificate
    if config.certificate.not_after > soon:
        return ok(name, ends)
    if coming is not None and coming.proven is not None:
        return ok(name, f"{ends} The next one is proven and takes over.")
    return failed(
        name,
        f"{ends} The next one is not proven yet.",
        "Add it as the configuration's certificate_to_add shows, then call verify.",
    )
