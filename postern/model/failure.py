"""What an error of Entra's token endpoint means for a mailbox: one pure table.

`error` and `suberror` decide; the AADSTS number only refines, since Microsoft says that numbers may
change (shared facts, section 2). Sources of the numbers are listed in docs/errors.md.
"""

from dataclasses import dataclass
from enum import StrEnum

from postern.errors import ProviderRefused


class FailureClass(StrEnum):
    """Who must act, and what happens to the mailbox meanwhile."""

    APP = "app"
    GRANT = "grant"
    ACCOUNT = "account"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A classified refusal: *cause* is a stable code, shown to admins with its sentence."""

    kind: FailureClass
    cause: str
    number: int | None = None


_NUMBERS: dict[int, tuple[FailureClass, str]] = {
    7000215: (FailureClass.APP, "credential-wrong"),
    7000222: (FailureClass.APP, "credential-expired"),
    7000218: (FailureClass.APP, "credential-missing"),
    700016: (FailureClass.APP, "app-unknown"),
    700027: (FailureClass.APP, "certificate-unknown"),
    7000112: (FailureClass.APP, "app-disabled"),
    70001: (FailureClass.APP, "app-disabled"),
    7000229: (FailureClass.APP, "app-not-in-tenant"),
    70021: (FailureClass.APP, "trust-not-replicated"),
    700211: (FailureClass.APP, "trust-mismatch"),
    7002121: (FailureClass.APP, "trust-mismatch"),
    700213: (FailureClass.APP, "trust-mismatch"),
    700236: (FailureClass.APP, "trust-other-tenant"),
    50012: (FailureClass.APP, "certificate-unknown"),
    700030: (FailureClass.APP, "certificate-unknown"),
    50194: (FailureClass.APP, "audience-wrong"),
    90002: (FailureClass.APP, "tenant-unknown"),
    900023: (FailureClass.APP, "tenant-malformed"),
    9001023: (FailureClass.APP, "tenant-malformed"),
    700082: (FailureClass.GRANT, "idle-too-long"),
    70008: (FailureClass.GRANT, "idle-too-long"),
    50173: (FailureClass.GRANT, "revoked"),
    700084: (FailureClass.GRANT, "redirect-not-web"),
    70043: (FailureClass.GRANT, "sign-in-frequency"),
    50072: (FailureClass.GRANT, "sign-in-again"),
    50074: (FailureClass.GRANT, "sign-in-again"),
    50076: (FailureClass.GRANT, "sign-in-again"),
    50078: (FailureClass.GRANT, "sign-in-again"),
    50079: (FailureClass.GRANT, "sign-in-again"),
    65001: (FailureClass.GRANT, "consent-missing"),
    70000: (FailureClass.GRANT, "grant-invalid"),
    50057: (FailureClass.ACCOUNT, "account-disabled"),
    50034: (FailureClass.ACCOUNT, "account-gone"),
    51004: (FailureClass.ACCOUNT, "account-gone"),
    53000: (FailureClass.ACCOUNT, "blocked-by-policy"),
    53001: (FailureClass.ACCOUNT, "blocked-by-policy"),
    53002: (FailureClass.ACCOUNT, "blocked-by-policy"),
    53003: (FailureClass.ACCOUNT, "blocked-by-policy"),
    530032: (FailureClass.ACCOUNT, "blocked-by-policy"),
    50196: (FailureClass.TRANSIENT, "request-loop"),
    90055: (FailureClass.TRANSIENT, "throttled"),
    50033: (FailureClass.TRANSIENT, "entra-unavailable"),
    50087: (FailureClass.TRANSIENT, "entra-unavailable"),
    90006: (FailureClass.TRANSIENT, "entra-unavailable"),
    90012: (FailureClass.TRANSIENT, "entra-unavailable"),
    90024: (FailureClass.TRANSIENT, "entra-unavailable"),
    90033: (FailureClass.TRANSIENT, "entra-unavailable"),
    90090: (FailureClass.TRANSIENT, "entra-unavailable"),
}

# The classes that each OAuth error admits; the first is what holds when no number refines it.
_ERRORS: dict[str, tuple[tuple[FailureClass, ...], str]] = {
    "invalid_client": ((FailureClass.APP,), "credential-refused"),
    "unauthorized_client": ((FailureClass.APP,), "app-refused"),
    "invalid_tenant": ((FailureClass.APP,), "tenant-unknown"),
    "invalid_request": (
        (FailureClass.UNKNOWN, FailureClass.APP, FailureClass.TRANSIENT),
        "request-refused",
    ),
    "invalid_grant": (
        (FailureClass.GRANT, FailureClass.ACCOUNT, FailureClass.APP, FailureClass.TRANSIENT),
        "grant-invalid",
    ),
    "interaction_required": ((FailureClass.GRANT, FailureClass.ACCOUNT), "sign-in-again"),
    "consent_required": ((FailureClass.GRANT,), "consent-missing"),
    "login_required": ((FailureClass.GRANT,), "sign-in-again"),
    "temporarily_unavailable": ((FailureClass.TRANSIENT,), "entra-unavailable"),
    "server_error": ((FailureClass.TRANSIENT,), "entra-unavailable"),
}


def classify(refusal: ProviderRefused) -> Failure:
    """Return what *refusal* means. Nothing unknown ends a grant."""
    number = refusal.number
    if refusal.status == 429:
        return Failure(kind=FailureClass.TRANSIENT, cause="throttled", number=number)
    if refusal.status >= 500:
        return Failure(kind=FailureClass.TRANSIENT, cause="entra-unavailable", number=number)
    if refusal.error not in _ERRORS:
        return Failure(kind=FailureClass.UNKNOWN, cause="unknown", number=number)
    admitted, cause = _ERRORS[refusal.error]
    kind, refined = _NUMBERS.get(number or 0, (admitted[0], cause))
    if kind not in admitted:
        return Failure(kind=admitted[0], cause=cause, number=number)
    return Failure(kind=kind, cause=refined, number=number)
