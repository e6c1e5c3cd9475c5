"""Custody of a pasted client secret, from its arrival to the proof that it is gone."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """A row of table `configs`, one for an activation with a secret; signed, it is the receipt.

    Every time is when we *saw* the fact, not when we asked for it. None means that it was not
    seen: the receipt lists it as not done.
    """

    activation: str
    config: str
    client_id: str
    tenant_id: str
    secret_name: str
    vault: str
    held_from: datetime
    deadline: datetime
    deleted_at: datetime | None = None
    purged_at: datetime | None = None
    gone_at: datetime | None = None
    recoverable_until: datetime | None = None
    closed_by: str | None = None
    entra_key_id: str | None = None
    entra_removed_at: datetime | None = None
    entra_note: str = ""
    replaced_by: str | None = None
    proof: str | None = None
    proven_at: datetime | None = None
    receipt: str | None = None

    def claims(self, issuer: str, now: datetime) -> dict[str, object]:
        """Return the receipt's claims. It never overstates: what was not done is listed."""
        ended = self.gone_at  # deleted only, it can be recovered and is still held
        steps = {
            "deleted from the intake vault": self.deleted_at,
            "purged from the intake vault": self.purged_at,
            "read back as gone": self.gone_at,
            "removed from the app registration in Entra": self.entra_removed_at,
            "replaced by a proven credential": self.proven_at,
        }
        return {
            "iss": issuer,
            "iat": int(now.timestamp()),
            "jti": self.activation,
            "sub": self.config,
            "client_id": self.client_id,
            "tenant_id": self.tenant_id,
            "vault": self.vault,
            "secret_name": self.secret_name,
            "held_from": _text(self.held_from),
            "held_until": _text(ended),
            "seconds_held": round((ended - self.held_from).total_seconds(), 3) if ended else None,
            "deleted_at": _text(self.deleted_at),
            "purged_at": _text(self.purged_at),
            "gone_at": _text(self.gone_at),
            "recoverable_until": _text(self.recoverable_until),
            "closed_by": self.closed_by,
            "entra_removed_at": _text(self.entra_removed_at),
            "entra_note": self.entra_note,
            "replaced_by": self.replaced_by,
            "proof_correlation_id": self.proof,
            "proven_at": _text(self.proven_at),
            "not_done": [step for step, seen in steps.items() if seen is None],
        }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
