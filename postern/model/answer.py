"""What came back on the redirect from Entra."""

from dataclasses import dataclass

from postern.errors import ProviderRefused
from postern.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back on the redirect. Everything in it is unverified."""

    state: str
    code: Secret | None
    error: ProviderRefused | None
