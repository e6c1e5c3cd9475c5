"""Key Vault's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import AzureError, HttpResponseError

from postern.errors import Unavailable


@contextmanager
def translated() -> Iterator[None]:
    """Raise `Unavailable` for whatever the SDK raises."""
    try:
        yield
    except HttpResponseError as exc:
        code = "access-refused" if exc.status_code in {401, 403} else "vault-failed"
        raise Unavailable(code, "The vault answered with an error; try again.") from exc
    except AzureError as exc:
        raise Unavailable("vault-unreachable", "The vault does not answer; try again.") from exc
