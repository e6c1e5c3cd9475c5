"""Every test gets a world of its own: nothing is shared but a few RSA keys."""

import pytest

from tests.fakes import FakeWorld


@pytest.fixture
def world() -> FakeWorld:
    """Return the app over fakes."""
    return FakeWorld()
