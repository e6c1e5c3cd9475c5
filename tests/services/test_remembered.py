"""A short memory: at most 60 seconds, and only of what was found."""

import pytest

from postern.errors import Unavailable
from postern.services.remembered import Remembered
from tests.fakes import FakeClock, down


class Source:
    """A look-up that counts."""

    def __init__(self) -> None:
        self.value: str | None = "found"
        self.asked = 0
        self.broken = False

    async def look_up(self, key: str) -> str | None:
        self.asked += 1
        if self.broken:
            raise down()
        return self.value


@pytest.fixture
def source() -> Source:
    return Source()


async def test_what_was_found_is_kept_for_a_minute_and_no_longer(source: Source):
    clock = FakeClock()
    remembered = Remembered[str](clock, source.look_up)
    assert await remembered.get("k") == "found"
    source.value = "changed"
    clock.advance(seconds=59.9)
    assert await remembered.get("k") == "found"
    clock.advance(seconds=0.1)
    assert await remembered.get("k") == "changed"
    assert source.asked == 2


async def test_a_use_does_not_make_it_live_longer(source: Source):
    clock = FakeClock()
    remembered = Remembered[str](clock, source.look_up)
    for _ in range(13):
        await remembered.get("k")
        clock.advance(seconds=10)
    assert source.asked == 3


async def test_what_was_not_found_is_asked_again(source: Source):
    source.value = None
    remembered = Remembered[str](FakeClock(), source.look_up)
    assert await remembered.get("k") is None
    source.value = "new"
    assert await remembered.get("k") == "new"


async def test_what_is_gone_is_forgotten_once_seen(source: Source):
    clock = FakeClock()
    remembered = Remembered[str](clock, source.look_up)
    await remembered.get("k")
    source.value = None
    clock.advance(seconds=60)
    assert await remembered.get("k") is None
    assert await remembered.get("k") is None
    assert source.asked == 3


async def test_what_this_process_changed_is_forgotten_at_once(source: Source):
    remembered = Remembered[str](FakeClock(), source.look_up)
    await remembered.get("k")
    source.value = "changed"
    remembered.forget("k")
    assert await remembered.get("k") == "changed"


async def test_a_failure_is_not_remembered(source: Source):
    remembered = Remembered[str](FakeClock(), source.look_up)
    source.broken = True
    with pytest.raises(Unavailable):
        await remembered.get("k")
    source.broken = False
    assert await remembered.get("k") == "found"


async def test_memory_is_bounded(source: Source):
    remembered = Remembered[str](FakeClock(), source.look_up)
    for number in range(10_001):
        await remembered.get(str(number))
    await remembered.get("10000")
    assert source.asked == 10_001, "the newest is kept"
    await remembered.get("0")
    assert source.asked == 10_002, "the oldest made room"
