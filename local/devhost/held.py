"""One queue message that this host has taken: hidden from others by a lease, and ended in one of
three ways: deleted, given back, or moved to the poison queue."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from azure.core.exceptions import AzureError
from azure.storage.queue import QueueMessage

from local.devhost.data import Received
from local.devhost.functions import QueueTrigger
from local.devhost.storage import Storage

log = logging.getLogger("devhost")


class HeldMessage:
    def __init__(
        self, message: QueueMessage, *, trigger: QueueTrigger, storage: Storage, lease: float
    ) -> None:
        self.message = _received(message)
        self._trigger = trigger
        self._storage = storage
        self._lease = lease
        self._queue = storage.queue(trigger.connection, trigger.queue)
        # Only the newest receipt is good: every renewal makes another one.
        self._receipt = self.message.receipt

    async def delete(self) -> None:
        await self._queue.delete_message(self.message.id, self._receipt)

    async def give_back(self, after: float) -> None:
        """Let it be seen again after so many seconds."""
        await self._extend(int(after))

    async def poison(self) -> None:
        """Move it, as it was, to where a person looks for what cannot be processed."""
        poison = f"{self._trigger.queue}-poison"
        log.error("message %s after %s tries: to %s", self.message.id, self.message.count, poison)
        await self._storage.put(self._trigger.connection, poison, self.message.content)
        await self.delete()

    @contextlib.asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Keep it hidden for as long as the block takes."""
        ended = asyncio.Event()
        renewing = asyncio.create_task(self._renew_until(ended))
        try:
            yield
        finally:
            # Not cancelled: a renewal cut off half way would leave us with an old receipt.
            ended.set()
            await renewing

    async def _renew_until(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), self._lease / 2)
                return
            try:
                await self._extend(int(self._lease))
            except AzureError as error:
                log.warning("message %s was not held: %s", self.message.id, type(error).__name__)

    async def _extend(self, seconds: int) -> None:
        updated = await self._queue.update_message(
            self.message.id, self._receipt, visibility_timeout=seconds
        )
        self._receipt = updated.pop_receipt or self._receipt


def _received(message: QueueMessage) -> Received:
    # The SDK types these as optional, since a peeked or a sent message lacks some.
    assert message.inserted_on is not None  # noqa: S101
    assert message.expires_on is not None  # noqa: S101
    assert message.next_visible_on is not None  # noqa: S101
    return Received(
        id=message.id,
        content=message.content,
        count=message.dequeue_count or 1,
        receipt=message.pop_receipt or "",
        inserted_on=message.inserted_on,
        expires_on=message.expires_on,
        next_visible_on=message.next_visible_on,
    )
