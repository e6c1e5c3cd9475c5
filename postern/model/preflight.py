"""What preflight found: each check with its result, why, and how to repair it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Result(StrEnum):
    """How a check ended. What could not be looked at is never called ok."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at, or why it could not be."""

    name: str
    result: Result
    why: str
    repair: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks of one run, and Entra's id of the exchange they rest on."""

    config: str
    checked: datetime
    correlation_id: str | None
    checks: tuple[Check, ...]


def ok(name: str, why: str) -> Check:
    """Return a check that found what it looked for."""
    return Check(name=name, result=Result.OK, why=why)


def failed(name: str, why: str, repair: str) -> Check:
    """Return a check that found a fault."""
    return Check(name=name, result=Result.FAILED, why=why, repair=repair)


def not_checked(name: str, why: str, repair: str | None = None) -> Check:
    """Return a check that could not be made."""
    return Check(name=name, result=Result.NOT_CHECKED, why=why, repair=repair)
