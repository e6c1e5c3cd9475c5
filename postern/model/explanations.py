"""What a failure means for an admin, and what to do: one sentence each, with where to click.

Every code here stands in docs/errors.md; a test holds the two together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause and repair of a failure code."""

    cause: str
    repair: str

    def __str__(self) -> str:
        return f"{self.cause} {self.repair}"


_CREDENTIALS = "Entra admin center > App registrations > your app > Certificates & secrets"

EXPLANATIONS: dict[str, Explanation] = {
    "credential-wrong": Explanation(
        "Entra does not accept this client secret.",
        f"Copy the secret's Value (not its Secret ID) when it is created, under {_CREDENTIALS}.",
    ),
    "credential-expired": Explanation(
        "This client secret has expired.", f"Create a new one under {_CREDENTIALS}."
    ),
    "credential-missing": Explanation(
        "No credential reached Entra.", "This is a fault in Postern; please report it."
    ),
    "credential-refused": Explanation(
        "Entra refuses the app's credential.", f"Compare it with the list under {_CREDENTIALS}."
    ),
    "app-unknown": Explanation(
        "There is no app with this client id in this tenant.",
        "Compare both ids with App registrations > your app > Overview.",
    ),
    "app-disabled": Explanation(
        "The app is disabled in its tenant.",
        "Enable it under Enterprise applications > your app > Properties.",
    ),
    "app-not-in-tenant": Explanation(
        "The app has no service principal in this tenant.",
        "Open Enterprise applications in that tenant and add the app, or grant it admin consent.",
    ),
    "app-refused": Explanation(
        "Entra does not allow this app to do this.",
        "Look at the sign-in log of the app's tenant with the correlation id.",
    ),
    "certificate-unknown": Explanation(
        "The app does not trust the certificate yet.",
        f"Upload it under {_CREDENTIALS} > Certificates, then call verify.",
    ),
    "trust-not-replicated": Explanation(
        "The federated credential is not there, or not yet known everywhere in Entra.",
        "Add it as shown; after adding, Entra may need some minutes, then call verify.",
    ),
    "trust-mismatch": Explanation(
        "The federated credential does not match the deployment's identity.",
        "Compare issuer, subject and audience with the fields shown; they are case-sensitive.",
    ),
    "trust-other-tenant": Explanation(
        "A managed identity is only trusted by apps registered in its own tenant.",
        "Activate again with credential 'certificate'.",
    ),
    "audience-wrong": Explanation(
        "The app signs in its own tenant only, but was activated for all organisations.",
        "Activate again with audience 'tenant', or change the app's supported account types.",
    ),
    "tenant-unknown": Explanation(
        "There is no such tenant.",
        "Copy the Directory (tenant) ID from App registrations > your app > Overview.",
    ),
    "tenant-malformed": Explanation(
        "This is no tenant.",
        "Copy the Directory (tenant) ID from App registrations > your app > Overview.",
    ),
    "throttled": Explanation(
        "Entra asks us to slow down.", "Try again in some minutes; refreshes do so by themselves."
    ),
    "entra-unavailable": Explanation("Entra does not answer now.", "Try again in some minutes."),
    "request-loop": Explanation(
        "Entra saw too many like requests.", "Nothing to do; it is tried again later."
    ),
    "request-refused": Explanation(
        "Entra refuses the request.", "Please report this with the correlation id."
    ),
    "too-slow": Explanation(
        "Entra, Graph or a vault took too long; the client secret was removed.",
        "Activate again in some minutes.",
    ),
    "activation-interrupted": Explanation(
        "The activation was cut off; the client secret was removed.", "Activate again."
    ),
    "idle-too-long": Explanation(
        "The mailbox was not used for 90 days.", "Send its owner a new connect link."
    ),
    "revoked": Explanation(
        "The owner or an admin revoked the access.", "Send the owner a new connect link."
    ),
    "redirect-not-web": Explanation(
        "The redirect URI is registered as a single-page app, whose tokens end after a day.",
        "Move it to platform Web under Authentication, then send a new connect link.",
    ),
    "sign-in-frequency": Explanation(
        "The owner's tenant asks for a new sign-in at fixed intervals.",
        "Send a new connect link; the tenant's admin can exempt the app.",
    ),
    "sign-in-again": Explanation(
        "The owner must sign in again, e.g. with a second factor.", "Send a new connect link."
    ),
    "consent-missing": Explanation(
        "The consent is missing or was withdrawn.", "Send the owner a new connect link."
    ),
    "grant-invalid": Explanation(
        "Entra no longer accepts the mailbox's grant.", "Send the owner a new connect link."
    ),
    "account-disabled": Explanation(
        "The account is disabled in its tenant.", "Ask that tenant's admin; it is tried daily."
    ),
    "account-gone": Explanation(
        "The account no longer exists in its tenant.", "Disconnect the mailbox."
    ),
    "blocked-by-policy": Explanation(
        "A Conditional Access policy of the owner's tenant blocks the app.",
        "Ask that tenant's admin; it is tried daily.",
    ),
    "unknown": Explanation(
        "Entra answered something that we do not know.",
        "Look at the sign-in log with the correlation id; nothing was deleted.",
    ),
}


def explain(cause: str) -> str:
    """Return cause and repair of a failure code as text."""
    return str(EXPLANATIONS[cause])
