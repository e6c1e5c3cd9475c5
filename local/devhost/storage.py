"""The storage queues, through Microsoft's own client and an account key: the platform's part."""

import asyncio
import base64
import contextlib
import logging
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.devhost.functions import Output

# The host's own polling has no place in the app's log.
_quiet = logging.getLogger("devhost.storage")
_quiet.setLevel(logging.WARNING)


class Storage:
    """All accounts that the app's bindings name."""

    def __init__(self, *, encode_base64: bool) -> None:
        self._base64 = encode_base64
        self._accounts: dict[str, QueueServiceClient] = {}
        self._queues: dict[tuple[str, str], QueueClient] = {}
        self._arrivals: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    def queue(self, connection: str, name: str) -> QueueClient:
        if (connection, name) not in self._queues:
            if connection not in self._accounts:
                options: dict[str, Any] = {
                    "logger": _quiet,
                    # As quick as the host's own client; Python's first waits 15 seconds.
                    "initial_backoff": 1,
                    "increment_base": 1,
                    "random_jitter_range": 0,
                    "retry_total": 2,
                }
                self._accounts[connection] = QueueServiceClient.from_connection_string(
                    connection, **options
                )
            self._queues[connection, name] = self._accounts[connection].get_queue_client(name)
        return self._queues[connection, name]

    def arrivals(self, connection: str, name: str) -> asyncio.Event:
        """Return what is set when this host itself puts a message on that queue."""
        return self._arrivals[connection, name]

    async def send(self, output: Output, messages: list[bytes]) -> None:
        """Put what an output binding gave on its queue."""
        for message in messages:
            text = base64.b64encode(message).decode() if self._base64 else message.decode()
            await self.put(output.connection, output.queue, text)

    async def put(self, connection: str, name: str, text: str) -> None:
        """Put one encoded message on a queue, which is made when it is not there."""
        queue = self.queue(connection, name)
        try:
            await queue.send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await queue.create_queue()
            await queue.send_message(text)
        self.arrivals(connection, name).set()

    def decode(self, text: str) -> str:
        """Return a message's text; ValueError when it is not what messageEncoding says."""
        return base64.b64decode(text, validate=True).decode() if self._base64 else text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for account in self._accounts.values():
            await account.close()
