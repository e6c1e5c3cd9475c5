"""A type for what must not be seen, so that hiding it is not a matter of care."""

import hmac
from typing import NoReturn, final


@final
class Secret:
    """A string that shows itself only through `reveal()`.

    `str`, `repr`, `format`, f-strings and `%s` all give `Secret(***)`; it does not pickle. Only
    adapters, postern/crypto and the answer that delivers a token call `reveal()`: a grep audits it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the hidden string."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is not pickled"
        raise TypeError(msg)
