"""Records in Azure Table Storage."""

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables import TableEntity, TableTransactionError, UpdateMode
from azure.data.tables.aio import TableServiceClient

from postern.errors import AlreadyThere, Conflicting, Malformed, StoreError, Unavailable
from postern.ports import Change, Operation, Row, RowPage, Value

_KEYS = ("PartitionKey", "RowKey")
_MARK = re.compile(r"[!-~]{1,400}")  # as Table Storage writes its continuations


class TableRecords:
    """`Records` over one storage account. Speaks with a token, never with a shared key."""

    def __init__(self, endpoint: str, credential: AsyncTokenCredential) -> None:
        # Looking up proxies and .netrc in a thread for each request costs a third of its time.
        transport = AioHttpTransport(use_env_settings=False)
        self._service = TableServiceClient(endpoint, credential=credential, transport=transport)
        self._tables: dict[str, Any] = {}

    def _table(self, name: str) -> Any:
        if name not in self._tables:
            self._tables[name] = self._service.get_table_client(name)
        return self._tables[name]

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return the row, or None."""
        with _translated():
            try:
                entity = await self._table(table).get_entity(partition, key)
            except ResourceNotFoundError:
                return None
        return _row(entity)

    async def insert(self, table: str, row: Row) -> Row:
        """Write a new row; return it with its etag."""
        with _translated():
            answer = await self._table(table).create_entity(_entity(row))
        return _with_etag(row, answer)

    async def replace(self, table: str, row: Row) -> Row:
        """Write the row if it still has its etag."""
        with _translated():
            answer = await self._table(table).update_entity(
                _entity(row),
                mode=UpdateMode.REPLACE,
                etag=row.etag,
                match_condition=MatchConditions.IfNotModified,
            )
        return _with_etag(row, answer)

    async def put(self, table: str, row: Row) -> Row:
        """Write the row, whatever is there."""
        with _translated():
            answer = await self._table(table).upsert_entity(_entity(row), mode=UpdateMode.REPLACE)
        return _with_etag(row, answer)

    async def delete(self, table: str, row: Row) -> None:
        """Delete the row.

        `delete_entity` swallows the 404 of a row that is gone, so a conditional delete is sent as
        a transaction of one, which does not.
        """
        if row.etag is not None:
            await self.transact(table, [Operation(Change.DELETE, row)])
            return
        with _translated():
            await self._table(table).delete_entity(row.partition, row.key)

    async def transact(self, table: str, operations: Sequence[Operation]) -> None:
        """Do all operations or none."""
        with _translated():
            await self._table(table).submit_transaction([_step(each) for each in operations])

    async def rows(
        self, table: str, partition: str, *, first: str = "", before: str = "\x7f"
    ) -> AsyncIterator[Row]:
        """Yield a key range of one partition."""
        with _translated():
            async for entity in self._table(table).query_entities(
                "PartitionKey eq @partition and RowKey ge @first and RowKey lt @before",
                parameters={"partition": partition, "first": first, "before": before},
            ):
                yield _row(entity)

    async def page(
        self, table: str, *, first: str, before: str, limit: int, mark: str | None = None
    ) -> RowPage:
        """Return a page of a range of partitions."""
        with _translated():
            pages = (
                self._table(table)
                .query_entities(
                    "PartitionKey ge @first and PartitionKey lt @before",
                    parameters={"first": first, "before": before},
                    results_per_page=limit,
                )
                .by_page(continuation_token=_unmark(mark) if mark else None)
            )
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return RowPage(rows=[], mark=None)
            rows = [_row(entity) async for entity in page]
        return RowPage(rows=rows, mark=_mark(pages.continuation_token))

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TableTransactionError as exc:
        raise _refused(exc.status_code) from exc
    except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as exc:
        raise _refused(exc.status_code) from exc
    except ClientAuthenticationError as exc:
        raise Unavailable("access-refused", "The records refuse the app's identity.") from exc
    except HttpResponseError as exc:
        code = "access-refused" if exc.status_code in {401, 403} else "records-failed"
        raise Unavailable(code, "The records answered with an error; try again.") from exc
    except AzureError as exc:
        raise Unavailable("records-unreachable", "The records do not answer; try again.") from exc


def _refused(status: int | None) -> StoreError | Unavailable:
    if status == 409:
        return AlreadyThere()
    if status in {404, 412}:
        return Conflicting()
    return Unavailable("records-failed", "The records answered with an error; try again.")


def _step(operation: Operation) -> tuple[Any, ...]:
    row = operation.row
    condition: dict[str, Any] = {}
    if row.etag is not None:
        condition = {"etag": row.etag, "match_condition": MatchConditions.IfNotModified}
    match operation.change:
        case Change.INSERT:
            return ("create", _entity(row))
        case Change.PUT:
            return ("upsert", _entity(row), {"mode": UpdateMode.REPLACE})
        case Change.REPLACE:
            return ("update", _entity(row), {"mode": UpdateMode.REPLACE, **condition})
        case Change.DELETE:
            return ("delete", _entity(row), condition)


def _entity(row: Row) -> dict[str, Value]:
    return {"PartitionKey": row.partition, "RowKey": row.key, **row.values}


def _row(entity: TableEntity) -> Row:
    return Row(
        partition=entity["PartitionKey"],
        key=entity["RowKey"],
        values={name: value for name, value in entity.items() if name not in _KEYS},
        etag=entity.metadata["etag"],
    )


def _with_etag(row: Row, answer: dict[str, Any]) -> Row:
    return Row(partition=row.partition, key=row.key, values=row.values, etag=answer["etag"])


def _mark(token: dict[str, str | None] | None) -> str | None:
    if not token or not token.get("PartitionKey"):
        return None
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


def _unmark(mark: str) -> dict[str, str | None]:
    """Return the continuation in *mark*. A forged one stays inside the filter's range."""
    try:
        token = json.loads(base64.urlsafe_b64decode(mark))
        parts = {name: token[name] for name in _KEYS}
        # The row key may be absent: the next page then begins a partition.
        if not all(part is None or _MARK.fullmatch(part) for part in parts.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, binascii.Error) as exc:
        raise Malformed("mark-malformed", "'mark' is what the page before gave.") from exc
    return parts
