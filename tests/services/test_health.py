"""Is everything there? Said in one word each, and asked at most every ten seconds."""

import asyncio

import pytest

from postern.errors import Unavailable
from postern.services import health
from postern.services.health import Health
from tests.fakes import FakeClock, FakeWorld, down

CALLS = {
    "records": "records.get",
    "intake-vault": "intake.reachable",
    "keys-vault": "keys.reachable",
    "entra": "provider.reachable",
    "graph": "directory.reachable",
    "managed-identity": "identity.exchange_assertion",
}
REACHED = dict.fromkeys(CALLS, "reached")


async def test_all_that_is_there_is_reached(world: FakeWorld):
    assert await world.app.health.report() == REACHED


@pytest.mark.fault
@pytest.mark.parametrize("name", CALLS)
async def test_what_is_not_there_is_named_and_the_rest_still_told(world: FakeWorld, name: str):
    world.tape.fail(CALLS[name])
    assert await world.app.health.report() == {**REACHED, name: "not-reached"}


@pytest.mark.fault
async def test_what_refuses_us_is_told_apart(world: FakeWorld):
    world.tape.fail("keys.reachable", lambda: Unavailable("access-refused", "no right"))
    assert (await world.app.health.report())["keys-vault"] == "refused"


async def test_a_crowd_costs_one_look_in_ten_seconds(world: FakeWorld):
    await asyncio.gather(*(world.app.health.report() for _ in range(50)))
    assert world.tape.count("keys.reachable") == 1
    world.clock.advance(seconds=9.9)
    await world.app.health.report()
    assert world.tape.count("keys.reachable") == 1
    world.clock.advance(seconds=0.1)
    await world.app.health.report()
    assert world.tape.count("keys.reachable") == 2


@pytest.mark.fault
async def test_what_came_back_is_told_after_ten_seconds(world: FakeWorld):
    world.tape.fail("provider.reachable")
    assert (await world.app.health.report())["entra"] == "not-reached"
    world.clock.advance(seconds=10)
    assert await world.app.health.report() == REACHED


@pytest.mark.fault
async def test_what_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "_PATIENCE", 0.01)

    async def quick() -> None:
        await asyncio.sleep(0)

    checks = Health({"slow": asyncio.Event().wait, "quick": quick}, FakeClock())
    assert await checks.report() == {"slow": "not-reached", "quick": "reached"}


@pytest.mark.fault
async def test_no_address_and_no_error_text_is_told(world: FakeWorld):
    world.tape.fail("*", down, times=100)
    assert set((await world.app.health.report()).values()) == {"not-reached"}
