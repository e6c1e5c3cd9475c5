"""What the app relies on in its records, proven on the fake, on Azurite and on a real account.

Name a real storage account in POSTERN_TEST_TABLES_URL and sign in with `az login` (role Storage
Table Data Contributor): the same tests run against its table `contract`, which is made for them.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import jwt
import pytest
from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential

from local.azurite import Azurite
from local.certificates import throw_away
from local.processes import Processes, free_ports
from postern.adapters.tables import TableRecords
from postern.errors import AlreadyThere, Conflicting, Malformed, PosternError
from postern.ports import Change, Operation, Records, Row
from tests.contract.conftest import SignedIn, trust
from tests.fakes import FakeRecords

pytestmark = pytest.mark.contract

REAL = os.environ.get("POSTERN_TEST_TABLES_URL", "")
TABLE = "grants"  # any table will do: this one is there in every deployment
SCOPE = "https://storage.azure.com/.default"
SUBJECTS = ["fake", "azurite", *(["real"] if REAL else [])]


@pytest.fixture(scope="module", params=SUBJECTS)
async def records(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Records]:
    if request.param == "fake":
        yield FakeRecords()
    elif request.param == "real":
        async with DefaultAzureCredential() as credential:
            async with TableServiceClient(REAL, credential=credential) as service:
                await service.create_table_if_not_exists(TABLE)
            real = TableRecords(REAL, credential)
            yield real
            await real.close()
    else:
        folder = tmp_path_factory.mktemp("azurite")
        certificates = throw_away(folder)
        blob, queue, table = free_ports(3)
        azurite = Azurite(blob=blob, queue=queue, table=table)
        processes = Processes(folder)
        processes.start(azurite.program(certificates, location=None))
        try:
            azurite.create_tables_and_queues(certificates)
            trust(certificates.ca)
            emulated = TableRecords(azurite.tables_url, SignedIn(_token(), SCOPE))
            yield emulated
            await emulated.close()
        finally:
            processes.stop()


def _token() -> str:
    """Return what Azurite takes for a managed identity's token: it looks at no signature."""
    claims = {
        "iss": "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        "aud": "https://storage.azure.com",
        "iat": 1_700_000_000,
        "nbf": 1_700_000_000,
        "exp": 4_000_000_000,
    }
    return jwt.encode(claims, "no key that anybody looks at, long enough", "HS256")


@pytest.fixture
def partition() -> str:
    """Return a partition of this test's own."""
    return f"t{uuid.uuid4().hex}"


def row(partition: str, key: str = "k", **values: object) -> Row:
    return Row(partition=partition, key=key, values=values)  # type: ignore[arg-type]


async def keys(records: Records, partition: str, **bounds: str) -> list[str]:
    return [each.key async for each in records.rows(TABLE, partition, **bounds)]


async def test_a_row_comes_back_as_it_was_written(records: Records, partition: str):
    values: dict[str, Any] = {
        "text": "grüße, 世界 ✓ 'quoted'",
        "empty": "",
        "number": -7,
        "yes": True,
        "ratio": 0.25,
        "sealed": bytes(range(256)),
    }
    written = await records.insert(TABLE, row(partition, **values))
    found = await records.get(TABLE, partition, "k")
    assert found is not None
    assert dict(found.values) == values
    assert [type(found.values[name]) for name in values] == [type(v) for v in values.values()]
    assert found.etag == written.etag
    assert found.etag


async def test_what_is_not_there_is_none(records: Records, partition: str):
    assert await records.get(TABLE, partition, "nothing") is None


@pytest.mark.parametrize("key", ["a~b", "a.b", "a=b", "a-b_c", "it's", "{x}", "A" * 512])
async def test_a_key_of_our_alphabet_is_kept_as_it_is(records: Records, partition: str, key: str):
    await records.insert(TABLE, row(partition, key))
    assert await records.get(TABLE, partition, key) is not None
    assert await keys(records, partition) == [key]


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\tb", "a\x7fb", "A" * 513])
async def test_a_key_that_azure_forbids_is_refused(records: Records, partition: str, key: str):
    with pytest.raises(PosternError):
        await records.insert(TABLE, row(partition, key))


async def test_a_second_insert_finds_the_first(records: Records, partition: str):
    await records.insert(TABLE, row(partition, n=1))
    with pytest.raises(AlreadyThere):
        await records.insert(TABLE, row(partition, n=2))
    found = await records.get(TABLE, partition, "k")
    assert found is not None
    assert found.values["n"] == 1


async def test_a_replace_needs_the_etag_of_what_is_there(records: Records, partition: str):
    first = await records.insert(TABLE, row(partition, n=1, old=1))
    second = await records.replace(TABLE, Row(partition=partition, key="k", etag=first.etag))
    assert second.etag not in (None, first.etag)
    with pytest.raises(Conflicting):
        await records.replace(TABLE, first)
    found = await records.get(TABLE, partition, "k")
    assert found is not None
    assert not found.values, "a replace leaves no column of the old row"
    assert found.etag == second.etag


async def test_a_replace_of_what_is_gone_conflicts(records: Records, partition: str):
    known = await records.insert(TABLE, row(partition))
    await records.delete(TABLE, known)
    with pytest.raises(Conflicting):
        await records.replace(TABLE, known)


async def test_a_replace_without_an_etag_is_a_fault_of_the_caller(records: Records, partition: str):
    await records.insert(TABLE, row(partition))
    with pytest.raises(ValueError, match="etag"):
        await records.replace(TABLE, row(partition))


async def test_a_put_writes_whatever_is_there(records: Records, partition: str):
    first = await records.put(TABLE, row(partition, n=1, old=1))
    second = await records.put(TABLE, row(partition, n=2))
    found = await records.get(TABLE, partition, "k")
    assert found is not None
    assert dict(found.values) == {"n": 2}
    assert found.etag == second.etag != first.etag


async def test_a_delete_with_an_etag_takes_only_that_version(records: Records, partition: str):
    first = await records.insert(TABLE, row(partition))
    second = await records.put(TABLE, row(partition, n=1))
    with pytest.raises(Conflicting):
        await records.delete(TABLE, first)
    await records.delete(TABLE, second)
    assert await records.get(TABLE, partition, "k") is None
    with pytest.raises(Conflicting):
        await records.delete(TABLE, second)


async def test_a_delete_without_an_etag_takes_any_version_or_none(records: Records, partition: str):
    await records.insert(TABLE, row(partition))
    await records.delete(TABLE, row(partition))
    await records.delete(TABLE, row(partition))
    assert await records.get(TABLE, partition, "k") is None


async def test_a_transaction_does_each_of_its_operations(records: Records, partition: str):
    replaced = await records.insert(TABLE, row(partition, "replaced", n=1))
    await records.insert(TABLE, row(partition, "put", n=1))
    await records.insert(TABLE, row(partition, "dropped"))
    dropped = await records.insert(TABLE, row(partition, "dropped-by-etag"))
    await records.transact(
        TABLE,
        [
            Operation(Change.INSERT, row(partition, "inserted", n=2)),
            Operation(
                Change.REPLACE,
                Row(partition=partition, key="replaced", values={"n": 2}, etag=replaced.etag),
            ),
            Operation(Change.PUT, row(partition, "put", n=2)),
            Operation(Change.PUT, row(partition, "put-anew", n=2)),
            Operation(Change.DELETE, row(partition, "dropped")),
            Operation(Change.DELETE, dropped),
        ],
    )
    found = [(each.key, each.values) async for each in records.rows(TABLE, partition)]
    assert found == [(key, {"n": 2}) for key in ("inserted", "put", "put-anew", "replaced")]


REFUSED = {
    "an insert of what is there": (Change.INSERT, "there", None, AlreadyThere),
    "a replace of an older version": (Change.REPLACE, "there", "older", Conflicting),
    "a replace of what is gone": (Change.REPLACE, "gone", "older", Conflicting),
    "a delete of an older version": (Change.DELETE, "there", "older", Conflicting),
    "a delete of what is gone": (Change.DELETE, "gone", None, Conflicting),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_one_refused_operation_leaves_all_undone(records: Records, partition: str, case: str):
    change, key, etag, error = REFUSED[case]
    older = await records.insert(TABLE, row(partition, "there", n=1))
    await records.put(TABLE, row(partition, "there", n=1))
    refused = Row(partition=partition, key=key, etag=older.etag if etag else None)
    with pytest.raises(error):
        await records.transact(
            TABLE,
            [
                Operation(Change.INSERT, row(partition, "first")),
                Operation(change, refused),
                Operation(Change.PUT, row(partition, "last")),
            ],
        )
    assert await keys(records, partition) == ["there"]


async def test_a_transaction_has_one_hundred_operations(records: Records, partition: str):
    many = [Operation(Change.INSERT, row(partition, f"{n:03}")) for n in range(100)]
    await records.transact(TABLE, many)
    assert len(await keys(records, partition)) == 100


async def test_a_transaction_is_of_one_partition(records: Records, partition: str):
    with pytest.raises(ValueError, match=r"(?i)partition"):
        await records.transact(
            TABLE,
            [
                Operation(Change.PUT, row(partition)),
                Operation(Change.PUT, row(f"{partition}x")),
            ],
        )
    assert await keys(records, partition) == []


async def test_a_transaction_names_each_row_once(records: Records, partition: str):
    with pytest.raises(PosternError):
        await records.transact(
            TABLE,
            [
                Operation(Change.PUT, row(partition, n=1)),
                Operation(Change.PUT, row(partition, n=2)),
            ],
        )
    assert await keys(records, partition) == []


@pytest.mark.parametrize("value", ["x" * 32_768, b"x" * 65_536], ids=["text", "bytes"])
async def test_a_value_may_be_as_long_as_azure_allows(
    records: Records, partition: str, value: str | bytes
):
    await records.insert(TABLE, row(partition, value=value))
    found = await records.get(TABLE, partition, "k")
    assert found is not None
    assert found.values["value"] == value


@pytest.mark.parametrize("value", ["x" * 32_769, b"x" * 65_537], ids=["text", "bytes"])
async def test_a_longer_value_is_refused(records: Records, partition: str, value: str | bytes):
    with pytest.raises(PosternError):
        await records.insert(TABLE, row(partition, value=value))


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
async def test_an_integer_of_more_than_32_bits_is_a_fault_of_the_caller(
    records: Records, partition: str, number: int
):
    with pytest.raises(TypeError):
        await records.insert(TABLE, row(partition, number=number))


async def test_rows_come_in_key_order_within_their_bounds(records: Records, partition: str):
    for key in ("due~3", "cursor", "grant~1", "due~1", "due~2"):
        await records.insert(TABLE, row(partition, key))
    await records.insert(TABLE, row(f"{partition}x", "due~1"))
    assert await keys(records, partition) == ["cursor", "due~1", "due~2", "due~3", "grant~1"]
    assert await keys(records, partition, first="cursor", before="due~2~\x7f") == [
        "cursor",
        "due~1",
        "due~2",
    ]
    assert await keys(records, partition, first="due~1", before="due~3") == ["due~1", "due~2"]


async def test_rows_of_more_than_a_thousand_all_come(records: Records, partition: str):
    for start in range(0, 1100, 100):
        await records.transact(
            TABLE,
            [
                Operation(Change.INSERT, row(partition, f"{n:04}"))
                for n in range(start, start + 100)
            ],
        )
    assert await keys(records, partition) == [f"{n:04}" for n in range(1100)]


async def pages(records: Records, first: str, before: str, limit: int) -> list[Sequence[Row]]:
    found, mark = [], None
    while True:
        page = await records.page(TABLE, first=first, before=before, limit=limit, mark=mark)
        assert len(page.rows) <= limit
        found.append(page.rows)
        if page.mark is None:
            return found
        mark = page.mark


async def test_pages_lead_through_all_partitions_of_a_range(records: Records, partition: str):
    places = [(f"{partition}~{p}", k) for p in "abc" for k in ("1", "2")]
    for place in places:
        await records.insert(TABLE, row(*place))
    await records.insert(TABLE, row(f"{partition}x", "outside"))
    found = await pages(records, f"{partition}~", f"{partition}~~", 4)
    assert [(each.partition, each.key) for page in found for each in page] == places
    assert len(found) > 1


async def test_a_page_of_nothing_is_the_last(records: Records, partition: str):
    page = await records.page(TABLE, first=partition, before=f"{partition}~", limit=10)
    assert (list(page.rows), page.mark) == ([], None)


async def test_a_mark_survives_that_its_page_is_deleted(records: Records, partition: str):
    for n in range(6):
        await records.insert(TABLE, row(f"{partition}~{n}"))
    bounds = {"first": f"{partition}~", "before": f"{partition}~~"}
    page = await records.page(TABLE, **bounds, limit=2)
    for each in page.rows:
        await records.delete(TABLE, each)
    assert page.mark is not None
    rest = await records.page(TABLE, **bounds, limit=10, mark=page.mark)
    assert [each.partition[-1] for each in rest.rows] == ["2", "3", "4", "5"]


@pytest.mark.parametrize("mark", ["x", "!!", "bm8=", "W10="])
async def test_a_forged_mark_is_malformed(records: Records, mark: str):
    with pytest.raises(Malformed) as refused:
        await records.page(TABLE, first="", before="\x7f", limit=1, mark=mark)
    assert refused.value.code == "mark-malformed"


async def test_of_many_replaces_at_once_exactly_one_wins(records: Records, partition: str):
    known = await records.insert(TABLE, row(partition))

    async def attempt(n: int) -> bool:
        try:
            await records.replace(
                TABLE, Row(partition=partition, key="k", values={"n": n}, etag=known.etag)
            )
        except Conflicting:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(n) for n in range(10)))) == 1
