"""How a configuration shows itself to a mailbox owner."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """Who asks, where to ask back, and the colour of the button.

    *support* is an e-mail address, *accent* is `#rrggbb`; who stores them has checked them.
    """

    product: str
    support: str | None = None
    accent: str = "#1f5fbf"
