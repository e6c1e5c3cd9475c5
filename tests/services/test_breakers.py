"""When the app's own credential fails: one alert, no mailbox touched, a probe, and all revive."""

import asyncio
import logging
from datetime import timedelta

import pytest

from postern.model.config import Config
from postern.services.breakers import Breakers
from postern.stores.audit import AuditStore
from tests.fakes import FakeWorld

CAUSE = "credential-expired"


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


def breakers(world: FakeWorld) -> Breakers:
    """Return the breakers as one process has them."""
    return Breakers(world.configs, AuditStore(world.records), world.clock)


def alerts(world: FakeWorld) -> int:
    return [event["did"] for event in world.events()].count("opened the breaker")


async def test_a_closed_breaker_lets_everybody_try(world: FakeWorld, config: Config):
    ours = breakers(world)
    assert all([await ours.may_try(config.id) for _ in range(5)])


async def test_an_open_breaker_lets_nobody_try_until_its_probe(world: FakeWorld, config: Config):
    ours = breakers(world)
    await ours.failed(config.id, CAUSE, "c0ffee")
    assert not await ours.may_try(config.id)
    assert not await breakers(world).may_try(config.id)
    world.clock.advance(timedelta(minutes=5))
    assert await ours.may_try(config.id)


async def test_of_all_processes_one_probes(world: FakeWorld, config: Config):
    ours = breakers(world)
    await ours.failed(config.id, CAUSE, None)
    world.clock.advance(timedelta(minutes=5))
    tries = [await breakers(world).may_try(config.id) for _ in range(5)]
    assert tries == [True, False, False, False, False]


async def test_of_two_who_probe_at_the_same_moment_one_does(world: FakeWorld, config: Config):
    ours, theirs = breakers(world), breakers(world)
    await ours.failed(config.id, CAUSE, None)
    world.clock.advance(timedelta(minutes=5))
    won: list[bool] = []

    async def other() -> None:
        won.append(await theirs.may_try(config.id))

    world.records.before("replace", other)
    assert not await ours.may_try(config.id)
    assert won == [True]


async def test_many_failures_at_once_are_one_alert(
    world: FakeWorld, config: Config, caplog: pytest.LogCaptureFixture
):
    processes = [breakers(world) for _ in range(3)]
    with caplog.at_level(logging.ERROR):
        await asyncio.gather(
            *(each.failed(config.id, CAUSE, None) for each in processes for _ in range(20))
        )
    assert alerts(world) == 1
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == 1


async def test_a_failed_probe_is_no_second_alert(world: FakeWorld, config: Config):
    ours = breakers(world)
    await ours.failed(config.id, CAUSE, None)
    world.clock.advance(timedelta(minutes=5))
    assert await ours.may_try(config.id)
    await ours.failed(config.id, CAUSE, None)
    assert alerts(world) == 1
    assert not await ours.may_try(config.id)


async def test_a_refresh_that_works_closes_it_everywhere_within_seconds(
    world: FakeWorld, config: Config
):
    ours, theirs = breakers(world), breakers(world)
    await ours.failed(config.id, CAUSE, None)
    assert not await theirs.may_try(config.id)
    world.clock.advance(timedelta(minutes=5))
    assert await ours.may_try(config.id)
    await ours.worked(config.id)
    assert await ours.may_try(config.id)
    world.clock.advance(seconds=10)
    assert await theirs.may_try(config.id)


async def test_an_admin_sees_an_open_breaker_with_its_cause(world: FakeWorld, config: Config):
    ours = breakers(world)
    assert await ours.open_now(config.id) is None
    await ours.failed(config.id, CAUSE, None)
    seen = await ours.open_now(config.id)
    assert seen is not None
    assert (seen.cause, seen.since) == (CAUSE, world.clock.now())


async def test_an_admins_proof_closes_it(world: FakeWorld, config: Config):
    await breakers(world).failed(config.id, CAUSE, None)
    await world.app.activation.verify("admin", config.id)
    _, breaker = await world.app.configurations.show(config.id)
    assert breaker is None


async def test_a_warm_process_reads_the_breaker_once_in_ten_seconds(
    world: FakeWorld, config: Config
):
    ours = breakers(world)
    before = world.tape.count("records.get")
    for _ in range(100):
        await ours.may_try(config.id)
    assert world.tape.count("records.get") == before + 1


async def test_the_breaker_of_one_config_leaves_others_alone(world: FakeWorld, config: Config):
    other = await world.active("bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee")
    ours = breakers(world)
    await ours.failed(config.id, CAUSE, None)
    assert await ours.may_try(other.id)
