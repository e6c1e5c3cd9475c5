"""A scripted mailbox owner, who goes through the real pages as a person with a browser would.

No short cuts: the owner reads the page, fills in the form that is there and presses a button. A
page that lost its form, its label or its way on therefore stops the walk.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from local.owner_page import Button, Form, Page, read_page

MAX_HOPS = 20
_REDIRECTS = (301, 302, 303, 307, 308)
PASSWORD = "correct horse"
_FARTHEST_FIRST = ("cross-site", "same-site", "same-origin", "none")
_BROWSER = "Mozilla/5.0 (scripted mailbox owner)"


class Stuck(Exception):
    """The owner sees no way on. The text shows the page, without its query."""


@dataclass(frozen=True, slots=True)
class Hop:
    method: str
    url: str
    status: int


class Owner:
    """A person with one browser: `async with Owner(ca) as owner: await owner.connect(...)`."""

    def __init__(self, trust: ssl.SSLContext | str | Path) -> None:
        if isinstance(trust, ssl.SSLContext):
            self._trust = trust
        else:
            self._trust = ssl.create_default_context(cafile=str(trust))
        self._client: aiohttp.ClientSession | None = None
        self.hops: list[Hop] = []

    async def __aenter__(self) -> Self:
        # Cookies of 127.0.0.1 are what "unsafe" means; Secure and host binding are still kept.
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"User-Agent": _BROWSER, "Accept": "text/html"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def open(self, url: str) -> Page:
        """Type an address, and follow wherever it leads."""
        return await self._go("GET", url, None, None)

    async def follow(self, page: Page, label: str) -> Page:
        """Click the link with this text."""
        for link in page.links:
            if label.lower() in " ".join(link.label.split()).lower():
                return await self._go("GET", urljoin(page.url, link.href), None, page.url)
        raise Stuck(_seen(page, f"no link {label!r}"))

    async def press(self, page: Page, button: str | None = None, **fields: str) -> Page:
        """Fill in the fields and press a button, named by its text or value; else the first."""
        form, pressed = _choose(page, button, fields)
        sent = {**form.fields, **fields}
        if pressed is not None and pressed.name:
            sent[pressed.name] = pressed.value
        target = urljoin(page.url, form.action)
        if form.method == "GET":
            return await self._go("GET", str(URL(target).with_query(sent)), None, page.url)
        return await self._go("POST", target, sent, page.url)

    async def connect(
        self, link_url: str, upn: str, password: str = PASSWORD, accept: bool = True
    ) -> Page:
        """Open a link, press its button, sign in, allow or decline, and return the last page."""
        page = await self.open(link_url)
        if page.status == 200 and _begins_with(page, link_url):
            page = await self.press(page)
        for _ in range(MAX_HOPS):
            names = {name for form in page.forms for name in form.fields}
            buttons = {(one.name, one.value) for form in page.forms for one in form.buttons}
            if {"login", "passwd"} <= names:
                if 'role="alert"' in page.html:
                    return page
                page = await self.press(page, login=upn, passwd=password)
            elif ("account", "other") in buttons:
                page = await self.press(page, _account(page, upn))
            elif ("decision", "accept") in buttons:
                page = await self.press(page, "accept" if accept else "decline")
            else:
                return page
        raise Stuck(_seen(page, "the pages go round in circles"))

    async def _go(
        self, method: str, url: str, sent: dict[str, str] | None, came_from: str | None
    ) -> Page:
        if self._client is None:
            msg = "use the owner with `async with`"
            raise RuntimeError(msg)
        sites = {_site(came_from, url)}
        for _ in range(MAX_HOPS):
            # One foreign hop makes the rest of a chain foreign, as browsers see it.
            site = next(one for one in _FARTHEST_FIRST if one in sites)
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
            if method == "POST" and came_from:
                headers["Origin"] = str(URL(came_from).origin())
            async with self._client.request(
                method,
                URL(url, encoded=True),
                data=sent,
                headers=headers,
                allow_redirects=False,
            ) as response:
                self.hops.append(Hop(method, url.split("?")[0], response.status))
                html = await response.text()
                location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                url = urljoin(url, location)
                sites.add(_site(came_from, url))
                if response.status not in (307, 308):
                    method, sent = "GET", None
                continue
            page, refresh = read_page(response.status, url, html)
            if refresh is None:
                return page
            came_from, url, method, sent = url, urljoin(url, refresh), "GET", None
            sites = {_site(came_from, url)}
        msg = f"too many redirects, the last to {url.split('?')[0]}"
        raise Stuck(msg)


def _choose(page: Page, button: str | None, fields: dict[str, str]) -> tuple[Form, Button | None]:
    """Find the form that has these fields and this button."""
    for form in page.forms:
        if not set(fields) <= set(form.fields):
            continue
        if button is None:
            return form, form.buttons[0] if form.buttons else None
        for one in form.buttons:
            if button in (one.value, one.label):
                return form, one
        for one in form.buttons:
            if button.lower() in one.label.lower():
                return form, one
    raise Stuck(_seen(page, f"no form with button {button!r} and fields {sorted(fields)}"))


def _begins_with(page: Page, link_url: str) -> bool:
    """Tell a connect link's own page, whose button starts, from a page of the sign-in."""
    same = page.url.split("?")[0].rstrip("/") == link_url.split("?")[0].rstrip("/")
    fields = {name for form in page.forms for name in form.fields}
    return same and bool(page.forms) and "flow" not in fields


def _account(page: Page, upn: str) -> str:
    """Pick the listed account of this name, else "use another"."""
    for form in page.forms:
        for one in form.buttons:
            if one.label.lower().split()[-1:] == [upn.lower()]:
                return one.value
    return "other"


def _site(came_from: str | None, url: str) -> str:
    """Say what a browser says about where a request comes from."""
    if came_from is None:
        return "none"
    before, after = URL(came_from), URL(url)
    if before.origin() == after.origin():
        return "same-origin"
    return "same-site" if before.host == after.host else "cross-site"


def _seen(page: Page, problem: str) -> str:
    return f"{problem} on {page.url.split('?')[0]} ({page.status}): {page.text[:300]}"
