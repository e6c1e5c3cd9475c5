"""MSAL's transport: what it sends goes to one host and no further."""

import asyncio

import pytest
import requests

from postern.adapters.entra.msal_calls import Transport
from tests.unit.scripted_server import Reply, scripted_server


@pytest.mark.attack
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_with_a_secret(status):
    async with scripted_server() as asked, scripted_server() as elsewhere:
        asked.say(Reply(status, "", {"Location": elsewhere.url}))
        with requests.Session() as session:
            transport = Transport(session)
            answer = await asyncio.to_thread(
                transport.post, asked.url, data={"client_secret": "pasted"}
            )
        assert answer.status_code == status
        assert elsewhere.asked == []


async def test_it_does_not_wait_for_ever_and_notes_the_correlation_id():
    async with scripted_server() as asked:
        asked.say(Reply(200, {}))
        with requests.Session() as session:
            transport = Transport(session)
            headers = {"client-request-id": "c0ffee"}
            await asyncio.to_thread(transport.post, asked.url, headers=headers)
        assert transport.correlation_id == "c0ffee"
