"""The scripted owner sees and does what a person in a browser would."""

import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from local.owner import Owner, Stuck
from local.owner_page import Link, read_page

PAGE = """<!doctype html><title>Connect</title><style>p { color: red }</style>
<p>Connect your <b>mailbox</b></p><a href="/help"> Need <i>help</i>? </a>
<form method="post" action="/start"><input type="hidden" name="token" value="t&amp;1">
<label for="who">Address</label><input id="who" name="who" type="email">
<input type="checkbox" name="news"><button type="button" name="no" value="no">Nothing</button>
<button name="go" value="yes">Connect <b>now</b></button></form>"""


async def sent_pairs(request: web.Request) -> list[str]:
    return [f"{name}={value!s}" for name, value in (await request.post()).items()]


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A page whose button leads on by a refresh, and one that redirects twice."""

    async def page(_: web.Request) -> web.Response:
        answer = web.Response(text=PAGE, content_type="text/html")
        answer.set_cookie("seen", "yes", path="/")
        return answer

    async def start(request: web.Request) -> web.Response:
        sent = "&".join(await sent_pairs(request))
        sent += f"&{request.cookies['seen']}&{request.headers['Sec-Fetch-Site']}"
        html = f'<meta http-equiv="refresh" content="0; url=/hop?said={sent.replace("&", "%26")}">'
        return web.Response(text=html, content_type="text/html")

    async def hop(request: web.Request) -> web.Response:
        raise web.HTTPSeeOther(f"/end?said={request.query['said'].replace('&', '%26')}")

    async def end(request: web.Request) -> web.Response:
        return web.Response(text=request.query["said"], content_type="text/html")

    app = web.Application()
    app.add_routes(
        [web.get("/", page), web.post("/start", start), web.get("/hop", hop), web.get("/end", end)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def test_a_page_is_read_as_a_person_reads_it() -> None:
    page, refresh = read_page(200, "https://a.example/", PAGE)
    assert refresh is None
    assert page.text == "Connect Connect your mailbox Need help ? Address Nothing Connect now"
    (form,) = page.forms
    # An unticked box is not sent, and a button of type "button" submits nothing.
    assert (form.fields, form.inputs) == ({"token": "t&1", "who": ""}, ["who"])
    assert [(one.name, one.value, one.label) for one in form.buttons] == [
        ("go", "yes", "Connect now")
    ]
    assert page.links == [Link("/help", " Need help? ")]


async def test_the_owner_presses_and_is_led_on(site: str) -> None:
    async with Owner(ssl.create_default_context()) as owner:
        page = await owner.press(await owner.open(site), "Connect now", who="me@a.example")
        assert page.text == "token=t&1&who=me@a.example&go=yes&yes&same-origin"
        assert [(one.method, one.url.removeprefix(site), one.status) for one in owner.hops] == [
            ("GET", "", 200),
            ("POST", "start", 200),
            ("GET", "hop", 303),
            ("GET", "end", 200),
        ]


async def test_the_owner_says_what_stands_in_the_way(site: str) -> None:
    async with Owner(ssl.create_default_context()) as owner:
        page = await owner.open(site)
        with pytest.raises(Stuck, match="no form with button 'Delete'"):
            await owner.press(page, "Delete")
        with pytest.raises(Stuck, match="fields \\['colour'\\]"):
            await owner.press(page, colour="red")
        with pytest.raises(Stuck, match="no link"):
            await owner.follow(page, "Imprint")
