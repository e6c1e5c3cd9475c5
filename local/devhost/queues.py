"""A queue trigger: polls one queue and sees every message through to its end.

As in the host: messages are taken in batches and held by a lease that is renewed while the
function runs; a failed one comes back after visibilityTimeout, and after maxDequeueCount tries it
goes to the queue's poison queue. A host that is killed leaves its messages hidden until the lease
ends.
"""

import asyncio
import contextlib
import logging
import random

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueMessage

from local.devhost.data import message_metadata
from local.devhost.functions import Function, QueueTrigger
from local.devhost.held import HeldMessage
from local.devhost.host_json import QueueRules
from local.devhost.invoke import Invoker
from local.devhost.storage import Storage

log = logging.getLogger("devhost")

_SHORTEST_POLL = 0.1


class Listener:
    def __init__(
        self,
        function: Function,
        trigger: QueueTrigger,
        *,
        invoker: Invoker,
        storage: Storage,
        rules: QueueRules,
        lease: float,
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._invoker = invoker
        self._storage = storage
        self._rules = rules
        self._lease = lease
        self._queue = storage.queue(trigger.connection, trigger.queue)
        self._arrivals = storage.arrivals(trigger.connection, trigger.queue)
        self._processing: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def listen(self) -> None:
        """Poll until told to stop: at once while there are messages, then ever more slowly."""
        pause = _SHORTEST_POLL
        while not self._stopping:
            self._arrivals.clear()
            messages = await self._receive()
            for message in messages:
                task = asyncio.create_task(self._see_through(message))
                self._processing.add(task)
                task.add_done_callback(self._processing.discard)
            if messages:
                pause = _SHORTEST_POLL
                await self._until_there_is_room()
            elif await self._arrived_within(pause):
                pause = _SHORTEST_POLL
            else:
                pause = min(pause * random.uniform(1.6, 2.4), self._rules.maximum_poll)  # noqa: S311

    def stop(self) -> None:
        """Take no more; a poll that is under way is not cut off, since it would hide messages."""
        self._stopping = True
        self._arrivals.set()

    async def settle(self, seconds: float) -> None:
        """Wait until every message that was held is deleted or given back."""
        if self._processing:
            await asyncio.wait(self._processing, timeout=seconds)

    async def _arrived_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self._arrivals.wait(), seconds)
        return False

    async def _until_there_is_room(self) -> None:
        while len(self._processing) > self._rules.new_batch_at:
            await asyncio.wait(self._processing, return_when=asyncio.FIRST_COMPLETED)

    async def _receive(self) -> list[HeldMessage]:
        try:
            pages = self._queue.receive_messages(
                messages_per_page=self._rules.batch, visibility_timeout=int(self._lease)
            ).by_page()
            async for page in pages:
                return [self._held(message) async for message in page]
        except ResourceNotFoundError:
            return []  # nobody has put anything there yet
        except AzureError as error:
            log.warning("queue %s cannot be polled: %s", self._trigger.queue, type(error).__name__)
        return []

    def _held(self, message: QueueMessage) -> HeldMessage:
        return HeldMessage(message, trigger=self._trigger, storage=self._storage, lease=self._lease)

    async def _see_through(self, held: HeldMessage) -> None:
        try:
            if self._stopping:
                await held.give_back(after=0)
            elif held.message.count > self._rules.tries:
                await held.poison()
            else:
                await self._process(held)
        except (AzureError, ValueError) as error:
            log.error(
                "message %s of %s: %s", held.message.id, self._trigger.queue, type(error).__name__
            )

    async def _process(self, held: HeldMessage) -> None:
        try:
            text = self._storage.decode(held.message.content)
        except ValueError:
            log.error("message %s of %s is not base64", held.message.id, self._trigger.queue)
            await held.poison()
            return
        async with held.renewed():
            succeeded = await self._invoker.attempt(
                self._function, Datum(text, "string"), message_metadata(held.message)
            )
        if succeeded:
            await held.delete()
        elif self._stopping:
            await held.give_back(after=0)
        elif held.message.count >= self._rules.tries:
            await held.poison()
        else:
            await held.give_back(after=self._rules.retry_after)
