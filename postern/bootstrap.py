"""The app, built once per worker at the first call.

Nothing is imported or opened before: indexing then costs little more than azure.functions itself,
and a cold start is not paid by the routes that a request does not use.
"""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postern.assembly import Postern

_built: "Postern | None" = None
_lock = asyncio.Lock()


async def postern() -> "Postern":
    """Return the app. Raises `SettingWrong` naming the setting."""
    global _built
    async with _lock:
        if _built is None:
            from postern.assembly import assemble
            from postern.settings import read

            _built = assemble(read())
        return _built
