"""Key Vault's error bodies: code, message and, where the service has one, an inner code."""

from typing import Any, NoReturn


class VaultError(Exception):
    """An answer other than success, in the shape the SDK clients parse.

    The `refuse_` functions below raise it; none of them returns.
    """

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.inner is not None:
            error["innererror"] = {"code": self.inner}
        return {"error": error}


def refuse_parameter(message: str) -> NoReturn:
    raise VaultError(400, "BadParameter", message)


def refuse_unknown(noun: str, name: str) -> NoReturn:
    raise VaultError(
        404,
        f"{noun}NotFound",
        f"A {noun.lower()} with (name/id) {name} was not found in this key vault. If you recently "
        f"deleted this {noun.lower()} you may be able to recover it using the correct recovery "
        "command.",
    )


def refuse_unknown_deleted(noun: str, name: str) -> NoReturn:
    raise VaultError(404, f"{noun}NotFound", f"Deleted {noun} not found: {name}")


def refuse_conflict(message: str, inner: str) -> NoReturn:
    raise VaultError(409, "Conflict", message, inner)


def refuse_forbidden(message: str, inner: str | None = None) -> NoReturn:
    raise VaultError(403, "Forbidden", message, inner)


# What a planned fault answers, by status; other statuses get the general one.
_FAULTS = {
    429: (
        "Throttled",
        "Request was not processed because too many requests were received. "
        "Reason: VaultRequestTypeLimitReached",
    ),
    403: ("Forbidden", "The request was refused by a planned fault."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
}


def refuse_as_planned(status: int) -> NoReturn:
    code, message = _FAULTS.get(status, ("InternalServerError", "An internal error occurred."))
    raise VaultError(status, code, message)
