"""Custody of a pasted client secret: take it in, remove it, prove it, sign the receipt."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from postern.crypto import jws
from postern.crypto.bearer import base64url
from postern.model.config import Config
from postern.model.receipt import Custody
from postern.model.secret import Secret
from postern.ports import Clock, IntakeVault, KeysVault, Proof
from postern.services.remembered import LIFE
from postern.stores.configs import ConfigStore

RECEIPT_KEY = "receipts"
# Only secrets of this name are ever ours to remove, should somebody share the vault with us.
INTAKE_PREFIX = "intake-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Where a secret is about to be kept, and until when at most."""

    name: str
    deadline: datetime


class CustodyKeeper:
    """Keeps the intake vault and the custody record in step; the record is written first."""

    def __init__(
        self,
        *,
        intake: IntakeVault,
        keys: KeysVault,
        configs: ConfigStore,
        clock: Clock,
        issuer: str,
        life: timedelta,
    ) -> None:
        self._intake = intake
        self._keys = keys
        self._configs = configs
        self._clock = clock
        self._issuer = issuer
        self._life = life
        self._key_set: tuple[datetime, dict[str, object]] | None = None

    def plan(self, activation: str) -> Intake:
        """Return the unique name and the deadline for an activation's secret."""
        return Intake(name=f"{INTAKE_PREFIX}{activation}", deadline=self._clock.now() + self._life)

    async def open(self, config: Config) -> Custody:
        """Write the record of a secret that is about to arrive: a crash cannot orphan it."""
        if config.intake is None or config.intake_deadline is None:
            msg = "the config does not name its intake"
            raise ValueError(msg)
        custody = Custody(
            activation=config.activation,
            config=config.id,
            client_id=config.client_id,
            tenant_id=config.tenant_id,
            secret_name=config.intake,
            vault=self._intake.url,
            held_from=self._clock.now(),
            deadline=config.intake_deadline,
        )
        await self._configs.save_custody(custody)
        return custody

    async def take(self, custody: Custody, secret: Secret) -> None:
        """Put the secret into the vault."""
        await self._intake.put(
            custody.secret_name,
            secret,
            expires=custody.deadline,
            tags={"config": custody.config, "activation": custody.activation},
        )

    async def keep(self, custody: Custody) -> None:
        """Store what was learnt, unsigned yet."""
        await self._configs.save_custody(custody)

    async def remove(self, custody: Custody, *, closed_by: str, note: str = "") -> Custody:
        """Remove the secret from the vault and note what was seen. Safe to repeat.

        *note* says how it stands with the password in Entra, where that was not noted yet.
        """
        seen = await self._intake.remove(custody.secret_name)
        changed = replace(
            custody,
            deleted_at=custody.deleted_at or seen.deleted_at,
            purged_at=custody.purged_at or seen.purged_at,
            gone_at=custody.gone_at or seen.gone_at,
            recoverable_until=seen.recoverable_until,
            closed_by=custody.closed_by or closed_by,
            entra_note=custody.entra_note or ("" if custody.entra_key_id else note),
        )
        return await self.sign(changed)

    async def proven(self, custody: Custody, config: Config, proof: Proof) -> Custody:
        """Note which credential replaced the secret and which exchange proved it."""
        changed = replace(
            custody,
            replaced_by=config.credential.value,
            proof=proof.correlation_id,
            proven_at=self._clock.now(),
        )
        return await self.sign(changed)

    async def sign(self, custody: Custody) -> Custody:
        """Sign the record as it stands and store both."""
        now = self._clock.now()
        newest = (await self._keys.public_keys(RECEIPT_KEY))[0]
        header = {"alg": "RS256", "typ": "JWT", "kid": newest.version}
        unsigned = jws.unsigned(header, custody.claims(self._issuer, now))
        signed = await self._keys.sign(
            RECEIPT_KEY, unsigned.digest, algorithm="RS256", version=newest.version
        )
        receipt = replace(custody, receipt=unsigned.signed(signed.signature))
        await self._configs.save_custody(receipt)
        return receipt

    def claims(self, custody: Custody) -> dict[str, object]:
        """Return what the receipt says, read from the receipt itself."""
        _, payload, _ = (custody.receipt or "..").split(".")
        return dict(jws.payload(payload))

    async def key_set(self) -> dict[str, object]:
        """Return the JWKS that verifies receipts (RFC 7517).

        Remembered for a minute: anybody may ask, and the vault has better to do.
        """
        now = self._clock.now()
        if self._key_set is None or self._key_set[0] <= now:
            self._key_set = (now + LIFE, await self._read_key_set())
        return self._key_set[1]

    async def _read_key_set(self) -> dict[str, object]:
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": "RS256",
                    "kid": public.version,
                    "n": _integer(public.key.public_numbers().n),
                    "e": _integer(public.key.public_numbers().e),
                }
                for public in await self._keys.public_keys(RECEIPT_KEY)
            ]
        }


def _integer(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
