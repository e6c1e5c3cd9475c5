"""Configurations for people: list, show, and the receipt of one's activation."""

from collections.abc import Sequence

from postern.errors import NotFound
from postern.model.branding import Branding
from postern.model.config import Config
from postern.model.receipt import Custody
from postern.services.breakers import Breakers
from postern.stores.configs import Breaker, ConfigStore


class Configurations:
    """Reads configurations."""

    def __init__(self, configs: ConfigStore, breakers: Breakers) -> None:
        self._configs = configs
        self._breakers = breakers

    async def all(self) -> Sequence[Config]:
        """Return every configuration, the newest first."""
        found = [known.value async for known in self._configs.all()]
        return sorted(found, key=lambda config: config.created, reverse=True)

    async def show(self, config_id: str) -> tuple[Config, Breaker | None]:
        """Return a configuration and its breaker while that is open."""
        config = await self._configs.get(config_id)
        if config is None:
            raise _unknown()
        return config, await self._breakers.open_now(config_id)

    async def require(self, config_id: str) -> None:
        """Raise `NotFound` unless there is such a configuration."""
        if await self._configs.get(config_id) is None:
            raise _unknown()

    async def branding(self, config_id: str | None) -> Branding | None:
        """Return how a configuration shows itself, or None when it is not known."""
        config = await self._configs.get(config_id) if config_id else None
        return config.branding if config else None

    async def receipt(self, config_id: str) -> Custody:
        """Return the signed record of the config's client secret."""
        config = await self._configs.get(config_id)
        if config is None:
            raise _unknown()
        custody = await self._configs.custody(config.id, config.activation)
        if custody is None:
            raise NotFound(
                "receipt-none", "No client secret was ever stored for this configuration."
            )
        if custody.receipt is None:
            raise NotFound("receipt-not-yet", "The removal is not finished; look again.")
        return custody


def _unknown() -> NotFound:
    return NotFound("config-unknown", "There is no such configuration.")
