"""What a crash left is finished by a timer; one thing that fails does not stop the others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postern.errors import NotFound
from postern.model.config import Config, ConfigState
from postern.model.secret import Secret
from postern.ports import Row
from tests.fakes import CLIENT_ID, PASTED, FakeWorld, wanted

LATER = timedelta(minutes=11)


async def keep(world: FakeWorld, name: str, life: timedelta = timedelta(minutes=10)) -> None:
    """Put a secret into the vault that no record knows."""
    await world.intake.put(
        name, Secret(PASTED), expires=world.clock.now() + life, tags={"config": "x"}
    )


async def state(world: FakeWorld, config: Config) -> ConfigState:
    found = await world.configs.get(config.id)
    assert found is not None
    return found.state


async def test_a_quiet_world_is_left_as_it_is(world: FakeWorld):
    config = await world.active()
    await world.connect(config)
    before = [world.records.all(table) for table in ("configs", "grants", "links", "mailboxes")]
    counts = await world.app.sweeper.sweep()
    after = [world.records.all(table) for table in ("configs", "grants", "links", "mailboxes")]
    assert before == after
    assert counts["settled"] == 1


async def test_a_secret_that_no_record_knows_goes_at_its_deadline(world: FakeWorld):
    await keep(world, "intake-orphan")
    world.clock.advance(timedelta(minutes=9, seconds=59))
    await world.app.sweeper.sweep()
    assert list(world.intake.secrets()) == ["intake-orphan"], "it may still be in use"
    world.clock.advance(seconds=1)
    counts = await world.app.sweeper.sweep()
    assert world.intake.secrets() == {}
    assert counts["secrets"] == 1


async def test_a_secret_that_was_deleted_but_not_purged_is_purged(world: FakeWorld):
    world.intake.delay = timedelta(minutes=5)
    await keep(world, "intake-half-removed")
    await world.intake.remove("intake-half-removed")
    assert list(world.intake.secrets()) == ["intake-half-removed"]
    world.intake.delay = timedelta(seconds=1)
    world.clock.advance(LATER)
    await world.app.sweeper.sweep()
    assert world.intake.secrets() == {}


@pytest.mark.fault
async def test_one_secret_that_cannot_be_removed_does_not_stop_the_others(world: FakeWorld):
    for n in range(4):
        await keep(world, f"intake-orphan-{n}")
    world.clock.advance(LATER)
    world.tape.fail("intake.remove", skip=1)
    await world.app.sweeper.sweep()
    assert list(world.intake.secrets()) == ["intake-orphan-1"]
    await world.app.sweeper.sweep()
    assert world.intake.secrets() == {}


@pytest.mark.fault
@pytest.mark.parametrize("call", ["intake.held", "intake.remove", "provider.*", "keys.*"])
async def test_one_dependency_that_is_down_does_not_stop_the_rest(world: FakeWorld, call: str):
    registration = world.register()
    waiting = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    link = await _expired_link(world)
    world.clock.advance(timedelta(days=40))
    await keep(world, "intake-orphan", timedelta(seconds=-1))
    registration.federated[world.trust] = world.clock.now()
    world.tape.fail(call, times=1000)
    await world.app.sweeper.sweep()
    world.tape.heal()
    assert await world.links.find(*link) is None
    await world.app.sweeper.sweep()
    assert await state(world, waiting) is ConfigState.ACTIVE
    assert world.intake.secrets() == {}


async def _expired_link(world: FakeWorld) -> tuple[str, str]:
    config = await world.active("bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee")
    await world.link(config)
    (known,) = [each async for each in world.links.of(config.id)]
    return config.id, known.value.hash


async def test_an_activation_that_still_runs_is_left_alone(world: FakeWorld):
    world.register()
    seen: list[object] = []

    async def sweep() -> None:
        await world.another_process().sweeper.sweep()
        seen.append(list(world.intake.secrets()))

    world.tape.before("provider.prove_secret", sweep)
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert seen == [[f"intake-{config.activation}"]]
    assert config.state is ConfigState.AWAITING_TRUST


async def test_a_hand_over_is_finished_when_the_trust_is_there(world: FakeWorld):
    registration = world.register()
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    assert (await world.app.sweeper.sweep())["verified-awaiting-trust"] == 1
    registration.federated[world.trust] = world.clock.now()
    assert (await world.app.sweeper.sweep())["verified-active"] == 1
    assert await state(world, config) is ConfigState.ACTIVE


@pytest.mark.fault
async def test_a_hand_over_outlives_a_throttled_try(world: FakeWorld):
    """Failed configs are not tried again, so weather must not make one."""
    registration = world.register()
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    registration.federated[world.trust] = world.clock.now()
    world.provider.refuse(error="temporarily_unavailable", status=429)
    await world.app.sweeper.sweep()
    assert await state(world, config) is ConfigState.AWAITING_TRUST
    await world.app.sweeper.sweep()
    assert await state(world, config) is ConfigState.ACTIVE


async def test_a_failed_config_is_not_tried_again_by_itself(world: FakeWorld):
    world.register()
    await world.app.activation.activate("admin", wanted(), Secret("Wrong8Q~of-somebody-else"))
    asked = world.tape.count("provider.*")
    await world.app.sweeper.sweep()
    assert world.tape.count("provider.*") == asked


async def test_two_sweeps_at_once_do_no_harm(world: FakeWorld):
    world.register()
    world.tape.fail("intake.remove")
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    world.clock.advance(LATER)

    async def other() -> None:
        await world.another_process().sweeper.sweep()

    world.tape.before("intake.remove", other)
    await world.app.sweeper.sweep()
    assert world.intake.secrets() == {}
    found = await world.configs.get(config.id)
    assert found is not None
    assert found.intake is None
    assert (await world.app.configurations.receipt(config.id)).gone_at is not None


async def test_a_purge_protected_secret_closes_the_config_with_the_truth(world: FakeWorld):
    world.intake.purge_protection = True
    world.register()
    world.tape.fail("intake.remove")
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    world.clock.advance(LATER)
    await world.app.sweeper.sweep()
    found = await world.configs.get(config.id)
    assert found is not None
    assert found.intake is None
    receipt = await world.app.configurations.receipt(config.id)
    assert receipt.gone_at is None
    assert receipt.recoverable_until is not None


async def test_a_config_names_its_secret_until_the_removal_was_seen(world: FakeWorld):
    world.register()
    world.tape.fail("intake.remove")
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    world.clock.advance(LATER)
    world.intake.delay = timedelta(minutes=5)
    await world.app.sweeper.sweep()
    found = await world.configs.get(config.id)
    assert found is not None
    assert found.intake == f"intake-{config.activation}"
    world.clock.advance(LATER)
    world.intake.delay = timedelta(seconds=1)
    await world.app.sweeper.sweep()
    found = await world.configs.get(config.id)
    assert found is not None
    assert found.intake is None
    assert world.intake.secrets() == {}


async def test_sign_ins_and_last_pages_go_when_they_are_over(world: FakeWorld):
    config = await world.active()
    await world.connect(config)
    await world.begin(await world.link(config))
    assert len(world.records.all("pending")) == 3
    await world.app.sweeper.sweep()
    assert len(world.records.all("pending")) == 3, "still under way"
    world.clock.advance(LATER)
    assert (await world.app.sweeper.sweep())["rows"] == 3
    assert world.records.all("pending") == []


async def test_many_old_rows_go_in_one_sweep(world: FakeWorld):
    config = await world.active()
    link = await world.link(config)
    for _ in range(1100):
        await world.begin(link)
    world.clock.advance(LATER)
    assert (await world.app.sweeper.sweep())["rows"] == 1100


async def test_a_link_is_kept_for_a_month_after_its_end_to_say_that_it_ended(world: FakeWorld):
    config_id, link = await _expired_link(world)
    world.clock.advance(timedelta(days=7 + 30))
    await world.app.sweeper.sweep()
    assert await world.links.find(config_id, link) is not None
    world.clock.advance(seconds=1)
    await world.app.sweeper.sweep()
    assert await world.links.find(config_id, link) is None


@pytest.mark.fault
async def test_a_config_that_changes_meanwhile_is_left_for_the_next_sweep(world: FakeWorld):
    world.register()
    world.tape.fail("intake.remove")
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    world.clock.advance(LATER)

    async def other() -> None:
        known = await world.configs.find(config.id)
        assert known is not None
        await world.configs.save(known, replace(known.value, name="renamed"))

    world.records.before("replace", other)
    await world.app.sweeper.sweep()
    await world.app.sweeper.sweep()
    found = await world.configs.get(config.id)
    assert found is not None
    assert (found.name, found.intake) == ("renamed", None)


async def test_the_receipt_says_who_closed_it(world: FakeWorld):
    world.register()
    world.tape.fail("intake.remove")
    config = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    with pytest.raises(NotFound):
        await world.app.configurations.receipt(config.id)
    world.clock.advance(LATER)
    await world.app.sweeper.sweep()
    assert (await world.app.configurations.receipt(config.id)).closed_by == "swept"
    assert len(world.directory.registrations[CLIENT_ID].passwords) == 1


async def test_a_secret_that_is_not_ours_is_left_alone(world: FakeWorld):
    """Somebody shares the vault with us: whatever its end, it is theirs."""
    await world.intake.put("somebody-elses", Secret(PASTED), expires=world.clock.now(), tags={})
    world.clock.advance(LATER)
    await world.app.sweeper.sweep()
    assert set(world.intake.secrets()) == {"somebody-elses"}


async def test_one_broken_row_does_not_keep_a_secret(world: FakeWorld):
    await world.intake.put("intake-late", Secret(PASTED), expires=world.clock.now(), tags={})
    await world.records.insert("configs", Row(partition="config", key="broken22", values={}))
    world.clock.advance(LATER)
    counts = await world.app.sweeper.sweep()
    assert counts["secrets"] == 1
    assert world.intake.secrets() == {}


async def test_the_mailboxes_are_counted_once_a_night(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
):
    config = await world.active()
    await world.connect(config)
    await world.connect(config, world.user("second@contoso.example"))
    with caplog.at_level("INFO"):
        for _ in range(48):
            world.clock.advance(timedelta(minutes=30))
            await world.app.sweeper.sweep()
    lines = [each.getMessage() for each in caplog.records if "census" in each.getMessage()]
    told = [line for line in lines if line.startswith("census config=")]
    states = "fresh=2 failing=0 reconnect-needed=0 parked=0"
    assert told == [f"census config={config.id} {states} whole=yes"]
