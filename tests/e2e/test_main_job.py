"""The whole main job over HTTP, as `make run` walks it, with a restart of everything at its end."""

import pytest

from local.demo.job import EVERY_FIVE_SECONDS, WATCHABLE, walk_main_job
from local.demo.walk import Walk
from local.stack import Stack

pytestmark = pytest.mark.e2e


async def test_main_job_from_a_pasted_secret_to_mails_after_a_restart(tmp_path, capsys):
    """Every step of the walk proves itself; this test proves that the walk reaches its end."""
    faster = {**WATCHABLE, "POSTERN_KEEP_ALIVE_SECONDS": "20"}
    stack = Stack(tmp_path, keep=True, schedule=EVERY_FIVE_SECONDS, settings=faster)
    stack.start()
    try:
        await walk_main_job(stack, Walk())
    finally:
        stack.stop()
    walked = capsys.readouterr().out
    assert "client secret ever was" in walked
    assert "removed from the app registration" in walked  # what the certificate road leaves open
    assert "both arrived; the client secrets are still nowhere" in walked
