"""Configurations for people: all of them, one with its breaker, and the receipt."""

import pytest

from postern.errors import NotFound
from postern.model.config import ConfigState
from postern.model.secret import Secret
from tests.fakes import PASTED, FakeWorld, wanted


async def test_all_are_listed_the_newest_first(world: FakeWorld):
    made = []
    for n in range(3):
        made.append((await world.active(f"{n:08}-bbbb-cccc-dddd-eeeeeeeeeeee")).id)
        world.clock.advance(seconds=1)
    assert [config.id for config in await world.app.configurations.all()] == made[::-1]


async def test_one_is_shown_as_it_stands(world: FakeWorld):
    config = await world.active()
    assert await world.app.configurations.show(config.id) == (config, None)


@pytest.mark.parametrize("text", ["zzzzzzzz", "x", "custody"])
async def test_what_is_not_there_is_told(world: FakeWorld, text: str):
    with pytest.raises(NotFound, match="config-unknown"):
        await world.app.configurations.show(text)
    with pytest.raises(NotFound, match="config-unknown"):
        await world.app.configurations.receipt(text)


async def test_a_failed_one_is_shown_with_its_problem_and_its_receipt(world: FakeWorld):
    world.register()
    pasted = Secret("Wrong8Q~of-somebody-else")
    made = await world.app.activation.activate("admin", wanted(), pasted)
    shown, _ = await world.app.configurations.show(made.id)
    assert shown.state is ConfigState.FAILED
    assert shown.problem is not None
    assert (await world.app.configurations.receipt(made.id)).gone_at is not None


async def test_what_is_shown_holds_no_secret(world: FakeWorld):
    world.register(may_change_itself=True)
    made = await world.app.activation.activate("admin", wanted(), Secret(PASTED))
    receipt = await world.app.configurations.receipt(made.id)
    assert PASTED not in repr(made)
    assert PASTED not in repr(receipt)
