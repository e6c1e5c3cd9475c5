"""Every step of every road, cut off for real: what is left, after one sweep, is no secret.

The matrix is made from what a first run of each road passes; nobody lists its cells. All die first,
then one sweep buries them, then an admin goes on with each.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from local.stack import Stack
from tests.crash.ground import INTAKE_SECONDS, Cell, Ground, Left
from tests.crash.roads import (
    OF_ENTRA,
    OF_THE_IDENTITY,
    OF_VAULTS,
    REPLICATION_SECONDS,
    ROADS,
    SLOW,
    TIMEOUTS,
    Faults,
)
from tests.crash.steps import DIED, distinct

pytestmark = pytest.mark.crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All that happened, for the tests to judge."""

    ground: Ground
    first: list[Cell]
    cells: list[Cell]
    readable_before: dict[str, list[str]]
    swept: dict[str, int]
    readable: dict[str, list[str]]
    left: dict[str, Left]
    entra: dict[str, list[str]]
    went: dict[str, str]
    left_at_last: dict[str, Left]
    entra_at_last: dict[str, list[str]]
    proofs: set[str]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    settings = {"POSTERN_INTAKE_SECONDS": str(INTAKE_SECONDS)}
    stack = Stack(tmp_path_factory.mktemp("crash"), settings=settings).start(app=False)
    ground = Ground(stack)
    try:
        ground.settle_at_once()
        yield ground
    finally:
        ground.close()
        stack.stop()


@pytest.fixture(scope="module")
def matrix(ground: Ground, request: pytest.FixtureRequest) -> Matrix:
    started = time.monotonic()
    first = ground.run([ground.cell(road) for road in ROADS])
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ground.run, _faulty(ground, TIMEOUTS))
        cells = ground.run([*_all_of(ground, first), *_faulty(ground, OF_ENTRA)])
        cells += ground.run(_faulty(ground, OF_VAULTS), at_once=1)
        cells += waiting.result()
    cells += ground.run(_faulty(ground, OF_THE_IDENTITY), at_once=1)
    ground.stack.entra.post("settings", federation_delay=REPLICATION_SECONDS)
    slow = ground.run([ground.cell(SLOW)])
    cells += ground.run(_all_of(ground, slow))
    first += slow
    ground.stack.entra.post("settings", federation_delay=0)
    ground.stack.entra.post("clock", advance=REPLICATION_SECONDS)
    ground.heal()
    everybody = [*first, *cells]
    readable_before = ground.readable([cell for cell in cells if cell.act == "die"])
    time.sleep(INTAKE_SECONDS)
    swept = ground.child("sweep")
    readable = ground.readable(everybody)
    left, entra = _seen(ground, everybody)
    went = ground.child("verify")
    left_at_last, entra_at_last = _seen(ground, everybody)
    boundaries = sum(len(one.ended["steps"]) for one in first)
    _tell(request, cells, boundaries, f"{time.monotonic() - started:.0f} s")
    return Matrix(
        ground=ground,
        first=first,
        cells=cells,
        readable_before=readable_before,
        swept=swept,
        readable=readable,
        left=left,
        entra=entra,
        went=went,
        left_at_last=left_at_last,
        entra_at_last=entra_at_last,
        proofs=ground.proofs(),
    )


def _all_of(ground: Ground, first: list[Cell]) -> list[Cell]:
    """Return a death at every boundary that *first* passed, and a cut at every request."""
    cells = []
    for one in first:
        passed = one.ended["steps"]
        requests = [each for each in enumerate(passed) if ": " in each[1]]
        cells += ground.cells(one.road, "die", distinct(passed))
        cells += ground.cells(one.road, "cut", requests)
    return cells


def _faulty(ground: Ground, faults: Faults) -> list[Cell]:
    cells = []
    for road, name, fault in faults:
        cell = ground.cell(road)
        if fault.get("endpoint") in ("token", "graph"):
            fault = {**fault, "client_id": cell.client_id}
        cells.append(replace(cell, act="fault", where=name, fault=fault))
    return cells


def _seen(ground: Ground, cells: list[Cell]) -> tuple[dict[str, Left], dict[str, list[str]]]:
    return ground.looked_at(), ground.passwords(cells)


def _tell(request: pytest.FixtureRequest, cells: list[Cell], boundaries: int, took: str) -> None:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    kinds = Counter(cell.act for cell in cells)
    roads = Counter(cell.road.name for cell in cells)
    with capture.global_and_fixture_disabled():
        print(f"\ncrash matrix: {boundaries} boundaries, {len(cells)} cells {dict(kinds)}, {took}")
        print("  " + ", ".join(f"{road}: {count}" for road, count in roads.items()))


def _none(wrong: list[str]) -> None:
    """Fail with every cell that is wrong: pytest would show the first."""
    if wrong:
        pytest.fail(f"{len(wrong)} cells:\n" + "\n".join(wrong), pytrace=False)


# --- what happened --------------------------------------------------------------------------------


def test_undisturbed_each_road_ends_where_it_should(matrix: Matrix):
    ended = {cell.road.name: cell.ended.get("state") for cell in matrix.first}
    assert ended == {cell.road.name: cell.road.ends for cell in matrix.first}


def test_every_cell_died_exactly_where_it_was_told(matrix: Matrix):
    told = [cell for cell in matrix.cells if cell.act == "die"]
    assert len(told) > 150
    wrong = [
        f"{cell}: {cell.ended}"
        for cell in told
        if (cell.ended["status"], cell.ended.get("at")) != (DIED, cell.where)
    ]
    _none(wrong)


def test_nothing_failed_but_in_words_for_an_admin(matrix: Matrix):
    """A call that fails ends in an error of ours, never in a traceback."""
    failed = [f"{cell}: {cell.ended['failed']}" for cell in matrix.cells if "failed" in cell.ended]
    _none(failed)


def test_some_died_with_the_secret_in_the_vault(matrix: Matrix):
    """Else the matrix would prove nothing."""
    held = [cell for cell in matrix.cells if cell.client_id in matrix.readable_before]
    for road in {cell.road.name for cell in matrix.first if cell.road.secret != "none"}:
        if "verified" not in road:
            assert any(cell.road.name == road for cell in held), road
    assert {place for places in matrix.readable_before.values() for place in places} == {
        "intake vault"
    }, "no secret is anywhere else, not even before the sweep"


# --- what one sweep leaves ------------------------------------------------------------------------


def test_no_secret_is_readable_anywhere(matrix: Matrix):
    assert matrix.readable == {}


def test_an_admin_can_go_on_from_every_state(matrix: Matrix):
    wrong = []
    for cell in matrix.cells:
        left = matrix.left.get(cell.client_id)
        if left is None:
            if not _nothing_was_stored(matrix, cell):
                wrong.append(f"{cell}: no config; {cell.ended}")
            continue
        state, problem = left.records["state"], left.records["problem"]
        fine = {"failed"} if problem else {"awaiting-trust", "handing-over", "active"}
        if state not in fine or left.records["intake"] != [None, ""]:
            wrong.append(f"{cell}: {left.records}")
    _none(wrong)


def _nothing_was_stored(matrix: Matrix, cell: Cell) -> bool:
    """Say whether it ended before its first row, of which the caller was told if he lived."""
    if cell.act != "die":
        return "refused" in cell.ended
    first = next(one for one in matrix.first if one.road is cell.road)
    stored = [step.startswith("after records.insert: POST") for step in first.ended["steps"]]
    return cell.at is not None and cell.at < stored.index(True)


def test_what_worked_before_a_re_activation_still_works(matrix: Matrix):
    """Its old app is served until the new one is."""
    wrong, judged = [], 0
    for cell in [cell for cell in matrix.cells if cell.standing]:
        standing = matrix.left.get(str(cell.standing)) or matrix.left.get(cell.client_id)
        judged += 1
        if standing is None or standing.records["state"] != "active":
            wrong.append(f"{cell}: {standing and standing.records}")
    _none(wrong)
    assert judged > 20


def test_each_went_on_to_work(matrix: Matrix):
    names = {cell.client_id: str(cell) for cell in matrix.cells}
    wrong = {names.get(each, each): how for each, how in matrix.went.items() if how != "active"}
    assert wrong == {}
    states = {left.records["state"] for left in matrix.left_at_last.values()}
    assert states == {"active"}


@pytest.mark.parametrize("when", ["after the sweep", "at last"])
def test_every_receipt_is_true(matrix: Matrix, when: str):
    at_last = when == "at last"
    everywhere = matrix.left_at_last if at_last else matrix.left
    entra = matrix.entra_at_last if at_last else matrix.entra
    names = [left.records["secret_name"] for left in everywhere.values()]
    in_vault = matrix.ground.held([name for name in names if name])
    wrong, receipts = [], 0
    for cell in [*matrix.first, *matrix.cells]:
        left = everywhere.get(cell.client_id)
        if left is None or left.records["secret_name"] is None:
            continue
        claims = left.claims
        if claims is None:
            wrong.append(f"{cell}: no receipt")
            continue
        receipts += 1
        in_entra = cell.key_id in entra[cell.client_id]
        held = left.records["secret_name"] in in_vault
        wrong += [f"{cell}: {each}" for each in _untrue(claims, held, in_entra, matrix.proofs)]
        if left.records["state"] == "active" and not claims["proven_at"]:
            wrong.append(f"{cell}: active, but not proven")
        if at_last and cell.road.right_on_graph and in_entra and not claims["entra_note"]:
            wrong.append(f"{cell}: still valid in Entra, and the receipt has no word of it")
    _none(wrong)
    assert receipts > 300


def _untrue(claims: dict[str, Any], held: bool, in_entra: bool, proofs: set[str]) -> Iterator[str]:
    """Yield what a receipt says and the stand-ins do not. It may say less than is so."""
    steps = ["deleted_at", "purged_at", "gone_at", "entra_removed_at", "proven_at"]
    if claims["recoverable_until"] is None:
        said = [str(claims[name]) for name in ("held_from", *steps[:3])]
        if "None" in said or said != sorted(said):
            yield f"the times of the removal are {said}"
    elif claims["gone_at"]:
        yield "gone, but recoverable"
    if claims["gone_at"] and held:
        yield "gone, but the vault has it"
    if len(claims["not_done"]) != sum(claims[step] is None for step in steps):
        yield f"not done: {claims['not_done']}"
    if claims["closed_by"] not in ("activation", "swept"):
        yield f"closed by {claims['closed_by']}"
    if claims["entra_removed_at"] and in_entra:
        yield "removed from Entra, but it is there"
    if "still valid" in str(claims["entra_note"]) and not in_entra:
        yield "still valid in Entra, but it is not there"
    if claims["proven_at"] and claims["proof_correlation_id"] not in proofs:
        yield "proven by an exchange that never was"
