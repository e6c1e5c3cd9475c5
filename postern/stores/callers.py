"""Table `keys`: API keys by their hash."""

from collections.abc import AsyncIterator

from postern.model.caller import Caller
from postern.ports import Records
from postern.stores.versioned import Versioned, to_row, versioned

TABLE = "keys"
_BOOTSTRAP = "bootstrap"


class CallerStore:
    """Who may call. A key itself is never here."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, caller: Caller) -> None:
        """Write a new key's row."""
        await self._records.insert(TABLE, to_row(caller, caller.hash[:1], caller.hash))

    async def find(self, key_hash: str) -> Versioned[Caller] | None:
        """Return the caller of a key, or None."""
        row = await self._records.get(TABLE, key_hash[:1], key_hash)
        return versioned(Caller, row) if row else None

    async def save(self, known: Versioned[Caller], changed: Caller) -> None:
        """Write *changed* over the version that was read. Raises `Conflicting`."""
        row = to_row(changed, changed.hash[:1], changed.hash, known.etag)
        await self._records.replace(TABLE, row)

    async def all(self) -> AsyncIterator[Versioned[Caller]]:
        """Yield every key's row."""
        mark = None
        while True:
            page = await self._records.page(TABLE, first="", before="\x7f", limit=1000, mark=mark)
            for row in page.rows:
                if row.partition != _BOOTSTRAP:
                    yield versioned(Caller, row)
            if page.mark is None:
                return
            mark = page.mark

    async def first(self) -> Versioned[Caller] | None:
        """Return the key that bootstrap minted, or None before it did."""
        row = await self._records.get(TABLE, _BOOTSTRAP, _BOOTSTRAP)
        return versioned(Caller, row) if row else None

    async def claim_first(self, caller: Caller, known: Versioned[Caller] | None) -> None:
        """Note *caller* as bootstrap's key. Raises `AlreadyThere` or `Conflicting`."""
        row = to_row(caller, _BOOTSTRAP, _BOOTSTRAP, known.etag if known else None)
        if known is None:
            await self._records.insert(TABLE, row)
        else:
            await self._records.replace(TABLE, row)
