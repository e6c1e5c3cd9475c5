"""What the host sends to the worker for a timer or a queue message, in the SDK's own `Datum`."""

import datetime
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from azure.functions.meta import Datum

Metadata = Mapping[str, Datum]
NEVER = "0001-01-01T00:00:00+00:00"  # .NET's "no date yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A queue message as the storage service hands it out."""

    id: str
    content: str
    count: int
    receipt: str
    inserted_on: datetime.datetime
    expires_on: datetime.datetime
    next_visible_on: datetime.datetime


def timer_data(status: Mapping[str, str] | None, *, past_due: bool) -> Datum:
    return Datum(
        json.dumps(
            {
                "Schedule": {"AdjustForDST": True},
                "ScheduleStatus": status,
                "IsPastDue": past_due,
            }
        ),
        "json",
    )


def schedule_status(
    *, last: datetime.datetime | None, next_run: datetime.datetime
) -> dict[str, str]:
    return {
        "Last": last.isoformat() if last else NEVER,
        "Next": next_run.isoformat(),
        "LastUpdated": last.isoformat() if last else NEVER,
    }


def message_metadata(message: Received) -> Metadata:
    return {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(str(message.count), "json"),
        "PopReceipt": Datum(message.receipt, "string"),
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }


def made_up_message(text: str, now: datetime.datetime) -> Received:
    """A message that was in no queue: what an admin's call hands to a queue function."""
    return Received(
        id=str(uuid.uuid4()),
        content=text,
        count=1,
        receipt="",
        inserted_on=now,
        expires_on=now + datetime.timedelta(days=7),
        next_visible_on=now,
    )


def _time(moment: datetime.datetime) -> Datum:
    return Datum(json.dumps(moment.isoformat()), "json")
