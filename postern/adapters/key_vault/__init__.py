"""Both vaults in Azure Key Vault: the intake of client secrets, and the keys."""

from postern.adapters.key_vault.intake import IntakeKeyVault
from postern.adapters.key_vault.keys import KeysKeyVault

__all__ = ["IntakeKeyVault", "KeysKeyVault"]
