"""The data keys of a config: unwrapped once per process, however many ask at once."""

import asyncio
from dataclasses import replace

import pytest

from postern.crypto.sealing import KeyRing, SealBroken
from postern.errors import Unavailable
from postern.model.config import Config
from postern.model.secret import Secret
from postern.services.keyrings import KeyRings
from tests.fakes import FakeWorld


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


async def test_fifty_callers_at_once_cost_one_unwrapping(world: FakeWorld, config: Config):
    rings = KeyRings(world.keys)
    found = await asyncio.gather(*(rings.of(config) for _ in range(50)))
    assert world.tape.count("keys.unwrap") == 1
    assert all(ring is found[0] for ring in found)


async def test_a_failed_unwrapping_fails_all_who_wait_and_is_not_remembered(
    world: FakeWorld, config: Config
):
    rings = KeyRings(world.keys)
    world.tape.fail("keys.unwrap")
    ended = await asyncio.gather(*(rings.of(config) for _ in range(50)), return_exceptions=True)
    assert {type(each) for each in ended} == {Unavailable}
    assert world.tape.count("keys.unwrap") == 1
    assert isinstance(await rings.of(config), KeyRing)


async def test_a_caller_that_goes_away_does_not_end_the_unwrapping(
    world: FakeWorld, config: Config
):
    rings = KeyRings(world.keys)
    leaving = asyncio.ensure_future(rings.of(config))
    await asyncio.sleep(0)
    staying = asyncio.ensure_future(rings.of(config))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, KeyRing)
    assert world.tape.count("keys.unwrap") == 1


async def test_a_new_key_seals_and_the_old_one_still_opens(world: FakeWorld, config: Config):
    rings = KeyRings(world.keys)
    old = (await rings.of(config)).seal(Secret("token"), "here")
    rotated = replace(config, data_keys=(*config.data_keys, await rings.new_key()))
    ring = await rings.of(rotated)
    assert ring.open(old, "here").reveal() == "token"
    new = ring.seal(Secret("token"), "here")
    with pytest.raises(SealBroken):
        (await rings.of(config)).open(new, "here")


async def test_a_data_key_wrapped_before_a_rotation_still_unwraps(world: FakeWorld, config: Config):
    sealed = (await KeyRings(world.keys).of(config)).seal(Secret("token"), "here")
    world.keys.rotate("data-wrapping")
    assert (await KeyRings(world.keys).of(config)).open(sealed, "here") == Secret("token")


async def test_a_stored_data_key_is_wrapped(world: FakeWorld):
    """What is stored must not be the key itself, nor the same for two configs."""
    rings = KeyRings(world.keys)
    one, two = await rings.new_key(), await rings.new_key()
    assert len(one.wrapped) > 300, "an RSA-2048 ciphertext, not 32 bytes"
    assert (one.id, one.wrapped) != (two.id, two.wrapped)
