"""Timers: each on its schedule in UTC, one run at a time, nothing made up for the time before.

The real host keeps a timer's status in a blob and makes up for a run that was missed while no
instance was up; this one begins anew at every start.
"""

import asyncio
import datetime
import logging

from local.devhost.data import schedule_status, timer_data
from local.devhost.functions import Function, TimerTrigger
from local.devhost.invoke import Invoker
from local.devhost.schedules import next_after, sub_minute

log = logging.getLogger("devhost")

# The clock may be set and the machine may sleep: look again now and then.
_LONGEST_NAP = 20.0
_PAST_DUE = datetime.timedelta(seconds=1)


class Timer:
    def __init__(self, function: Function, trigger: TimerTrigger, invoker: Invoker) -> None:
        self._function = function
        self._trigger = trigger
        self._invoker = invoker
        self._last: datetime.datetime | None = None
        self._monitored = trigger.use_monitor and not sub_minute(trigger.schedule, _now())

    async def keep_running(self) -> None:
        """Run at each time of the schedule; a time that passes during a run is skipped."""
        if self._trigger.run_on_startup:
            await self.run_once()
        while True:
            due = next_after(self._trigger.schedule, _now())
            while (now := _now()) < due:
                await asyncio.sleep(min((due - now).total_seconds(), _LONGEST_NAP))
            await self.run_once(past_due=now - due > _PAST_DUE)

    async def run_once(self, *, past_due: bool = False) -> bool:
        """Run now, as the schedule or an admin wants it."""
        now = _now()
        status = (
            schedule_status(last=self._last, next_run=next_after(self._trigger.schedule, now))
            if self._monitored
            else None
        )
        self._last = now
        data = timer_data(status, past_due=past_due)
        return await self._invoker.attempt(self._function, data, {})


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
