"""NCRONTAB, the host's dialect of cron, on top of croniter."""

import datetime
import re

from croniter import croniter

# {second} {minute} {hour} {day} {month} {day-of-week}; none of croniter's own additions.
_NUMBERS = re.compile(r"[0-9*/,-]+")
_NAMES = re.compile(r"[0-9A-Za-z*/,-]+")


def is_valid(schedule: str) -> bool:
    """Say whether the host takes it: six fields, names only for month and weekday."""
    fields = schedule.split()
    return (
        len(fields) == 6
        and all(_NUMBERS.fullmatch(field) for field in fields[:4])
        and all(_NAMES.fullmatch(field) for field in fields[4:])
        and not re.search("[l7]", re.sub("[a-z]{2,}", "", fields[5].lower()))
        and bool(croniter.is_valid(schedule, second_at_beginning=True))
    )


def next_after(schedule: str, moment: datetime.datetime) -> datetime.datetime:
    """Return the next time in UTC; day of month and day of week must both fit, unlike in cron."""
    times = croniter(
        schedule, moment, ret_type=datetime.datetime, second_at_beginning=True, day_or=False
    )
    found = times.get_next()
    assert isinstance(found, datetime.datetime)  # noqa: S101 - croniter is untyped
    return found


def sub_minute(schedule: str, moment: datetime.datetime) -> bool:
    """Say whether it recurs more often than once a minute: the host then keeps no status."""
    first = next_after(schedule, moment)
    return next_after(schedule, first) - first < datetime.timedelta(minutes=1)
