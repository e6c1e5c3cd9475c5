"""Entra's authorize and token endpoints: MSAL where calls are rare, one plain POST where not."""

from postern.adapters.entra.provider import EntraProvider

__all__ = ["EntraProvider"]
