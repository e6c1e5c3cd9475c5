"""Every failure that the app speaks of, by what has to happen next.

PosternError
├── Rejected                the caller is wrong and must change something
│   ├── Malformed           the request cannot be understood
│   ├── TooLarge            the request is bigger than any honest one
│   ├── Unauthenticated     no key, or one that we do not know
│   ├── Forbidden           a known caller without the right
│   ├── NotFound            nothing there, or nothing that this caller may see
│   ├── Conflict            the state does not allow it
│   └── Unprocessable       understood, but another system refused it
├── ConsentLost             a human must act before this mailbox works again
├── Unavailable             try later; nothing was lost
├── PageError               a mailbox owner is shown a page with this reason
├── SettingWrong            the app is set up wrongly and serves nothing
├── ProviderRefused         Entra or Graph answered with an error (typed, never shown raw)
└── StoreError              the records did not allow a write, or hold something else
    ├── Conflicting         a conditional write lost its race
    ├── AlreadyThere        an insert found the row in place
    └── Unreadable          a row does not hold what its kind needs

`functions/_http.py` alone turns these into HTTP statuses; codes are stable kebab-case words that
docs/errors.md lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class PosternError(Exception):
    """The root: nothing else is raised on purpose."""


@dataclass(eq=False)
class _Coded(PosternError):
    """A failure that a caller reads: a stable code and a sentence that says what to do."""

    code: str
    description: str
    details: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.code


class Rejected(_Coded):
    """The caller is wrong; the same request will fail again."""


class Malformed(Rejected):
    """The request cannot be understood."""


class TooLarge(Rejected):
    """The body is bigger than any honest one."""


class Unauthenticated(Rejected):
    """There is no key, or one that we do not know."""


class Forbidden(Rejected):
    """The caller is known and has no right to this."""


class NotFound(Rejected):
    """There is nothing, or nothing that this caller may see: both look the same from outside."""


class Conflict(Rejected):
    """The state of the thing does not allow it."""


class Unprocessable(Rejected):
    """Understood and allowed, but another system refused it."""


class ConsentLost(_Coded):
    """Only a human can repair this mailbox's grant."""


@dataclass(eq=False)
class Unavailable(_Coded):
    """A dependency does not answer now; nothing was lost."""

    retry_after: float | None = None


@dataclass(eq=False)
class PageError(PosternError):
    """A mailbox owner must be shown a page; *reason* is a key of postern/pages/reasons.py.

    *config* says whose page it is, where that is known.
    """

    reason: str
    correlation_id: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class ProviderRefused(PosternError):
    """Entra's or Graph's error answer.

    *error* and *suberror* are OAuth's words, *number* is the AADSTS number when one was given: a
    hint, since Microsoft says that numbers may change. The description is not kept: it may hold
    account names and never reaches a caller.
    """

    error: str
    status: int
    number: int | None = None
    suberror: str | None = None
    correlation_id: str | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.error} ({self.number or self.status})"


class SettingWrong(PosternError):
    """A setting is missing, malformed, or loosened for something that is not on this machine.

    Its text names the key and never the value.
    """


class StoreError(PosternError):
    """The records did not allow a write."""


class Conflicting(StoreError):
    """A conditional write lost: the row changed, or is gone, since it was read."""


class AlreadyThere(StoreError):
    """An insert found its row in place."""


class Unreadable(StoreError):
    """A row does not hold what its kind needs: written by hand, or by a newer version."""
