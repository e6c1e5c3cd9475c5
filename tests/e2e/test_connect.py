"""Connecting over HTTP: what scanners, strangers and attackers may not do, and what owners read."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from functions._cookies import form_token
from local import seed
from local.owner import Owner
from postern.model.secret import Secret

pytestmark = pytest.mark.e2e

COOKIE = "__Host-browser"


class Browser:
    """A browser's raw side: requests without following, with its own cookie."""

    def __init__(self, world):
        self.world, self.cookie = world, None

    def get(self, url, **headers):
        return self._send("GET", url, None, headers)

    def submit(self, fields, **headers):
        raw = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self.world.stack.deployment.base_url}/api/authorize"
        return self._send("POST", url, raw, {**content, **headers})

    def _send(self, method, url, raw, headers):
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if self.cookie:
            headers = {**headers, "Cookie": f"{COOKIE}={self.cookie}"}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.world.api.call(method, path, raw=raw, headers=headers)
        if given := re.match(rf"{COOKIE}=([^;]+)", answer.headers.get("set-cookie", "")):
            self.cookie = given[1]
        return answer

    def form(self, url):
        """Open a link's page and return what its form would send."""
        html = self.get(url).text
        return dict(re.findall(r'name="(link|form_token)" value="([^"]+)"', html))

    def begin(self, url):
        """Press the button and return Entra's address."""
        page = self.submit(self.form(url), Sec_Fetch_Site="same-origin")
        assert page.status == 200, page.text
        return re.findall(r'url=([^"]+)"', page.text)[0].replace("&amp;", "&")


def state_of(url):
    return parse_qs(urlsplit(url).query)["state"][0]


def callback(world, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{world.stack.deployment.base_url}/api/callback?{text}"


def ending(browser, answer):
    """Follow the callback's 303; return the last page."""
    assert answer.status == 303, answer.text
    where = answer.headers["location"]
    assert "?" not in where
    return browser.get(where)


async def sign_in_only(world, url, address):
    """Sign in at Entra and return the redirect to us, without following it."""
    async with Owner(world.stack.certificates.ca) as owner:
        page = await owner.open(url)
        form = page.forms[0]
        base = world.stack.deployment.entra_url
        fields = {**form.fields, "login": address, "passwd": "correct horse"}
        client = owner._client
        assert client is not None
        for path in ("password", "consent"):
            where = f"{base}/_signin/{path}"
            async with client.post(where, data=fields, allow_redirects=False) as response:
                if location := response.headers.get("Location"):
                    return location
                html = await response.text()
            hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html)
            fields = {**dict(hidden), "decision": "accept"}
    raise AssertionError("Entra did not send the browser back")


# --- the page -------------------------------------------------------------------------------------


def test_page_is_closed_to_everything_foreign(world):
    answer = Browser(world).get(world.link(expected_address=seed.ALICE))
    policy = answer.headers["content-security-policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("text/html")
    assert "postern" not in answer.text.lower()


def test_cookie_ties_the_browser(world):
    cookie = Browser(world).get(world.link()).headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[A-Za-z0-9_-]{{43}};", cookie)
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"path=/", "secure", "httponly", "samesite=lax"} <= parts


@pytest.mark.attack
def test_scanner_uses_nothing_up(world):
    """GET, HEAD, prefetch and the redirect of a page that runs scripts change nothing."""
    url = world.link()
    for headers in ({}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch"}):
        assert Browser(world).get(url, **headers).status == 200
    world.api.call("HEAD", urlsplit(url).path)
    listed = world.admin.get(f"/api/configs/{world.config}/links").body["links"][0]
    assert listed["used"] == 0


@pytest.mark.attack
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_button_pressed_by_another_site(world, site):
    browser = Browser(world)
    page = browser.submit(browser.form(world.link()), Sec_Fetch_Site=site)
    assert page.status == 403, page.text


@pytest.mark.attack
def test_button_without_cookie_or_with_a_foreign_token(world):
    browser, url = Browser(world), world.link()
    fields = browser.form(url)
    assert Browser(world).submit(fields).status == 403
    other = browser.form(world.link())
    for token in (other["form_token"], ""):
        assert browser.submit({**fields, "form_token": token}).status == 403
    assert browser.submit({}).status == 403
    assert browser.submit(fields).status == 200


@pytest.mark.parametrize(
    "junk", ["x", "aaaaaaaa.b", "%00", "a" * 60, "..%2f..", "aaaaaaaa." + "A" * 43]
)
def test_guessed_link(world, junk):
    answer = Browser(world).get(f"{world.stack.deployment.base_url}/api/connect/{junk}")
    assert answer.status == 404


def test_withdrawn_link_says_so(world):
    made = world.admin.post(f"/api/configs/{world.config}/links", {}).body
    path = f"/api/configs/{world.config}/links/{made['id']}"
    assert world.admin.delete(path).status == 204
    answer = Browser(world).get(made["url"])
    assert answer.status == 410
    assert "switched off" in answer.text
    assert "Contoso Mail" in answer.text


# --- the way to Entra -----------------------------------------------------------------------------


def test_request_to_entra(world):
    url = Browser(world).begin(world.link(expected_address=seed.ALICE))
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert urlsplit(url).path == "/organizations/oauth2/v2.0/authorize"
    assert query["code_challenge_method"] == "S256"
    assert query["response_mode"] == "query"
    assert query["prompt"] == "select_account"
    assert query["login_hint"] == seed.ALICE
    assert query["nonce"]
    assert len(query["state"]) == 43
    assert query["redirect_uri"] == f"{world.stack.deployment.base_url}/api/callback"
    assert "https://outlook.office.com/SMTP.Send" in query["scope"]
    assert "https://graph.microsoft.com/Mail.Send" in query["scope"]


def test_direct_link_redirects_at_once(world):
    browser = Browser(world)
    url = world.link(direct=True, expected_address=seed.ALICE)
    answer = browser.get(url)
    assert answer.status == 303
    assert answer.headers["location"].startswith(world.stack.deployment.entra_url)
    assert browser.cookie


@pytest.mark.attack
def test_kinds_of_links_cannot_be_swapped(world):
    """A link with a page cannot be made to skip it, and a direct one shows none."""
    plain = world.link()
    direct = world.link(direct=True, expected_address=seed.ALICE)
    browser = Browser(world)
    assert browser.get(plain.replace("/connect/", "/authorize/")).status == 404
    assert browser.get(direct.replace("/authorize/", "/connect/")).status == 404


@pytest.mark.attack
def test_button_of_a_direct_link_does_not_exist(world):
    """Its token can be made by whoever has the link and a cookie of his own; it opens nothing."""
    direct = world.link(direct=True, expected_address=seed.ALICE)
    browser = Browser(world)
    browser.get(world.link())
    assert browser.cookie is not None
    link = direct.rpartition("/")[2]
    fields = {"link": link, "form_token": form_token(Secret(browser.cookie), link)}
    assert browser.submit(fields, Sec_Fetch_Site="same-origin").status == 404


async def test_direct_link_connects(world):
    page = await world.connect(seed.BOB, direct=True, expected_address=seed.BOB)
    assert "is connected" in page.text


# --- the way back ---------------------------------------------------------------------------------


@pytest.mark.attack
@pytest.mark.parametrize("query", [{}, {"state": "x"}, {"state": "A" * 43, "code": "x"}])
def test_unknown_state(world, query):
    browser = Browser(world)
    answer = browser.get(callback(world, **query))
    assert answer.headers["location"].endswith("/api/ended/state-unknown")
    assert ending(browser, answer).status == 400


@pytest.mark.attack
async def test_stolen_state_ends_nothing(world):
    """Login CSRF, the one way: a state that another browser began is refused and stays good."""
    victim, url = Browser(world), world.link(expected_address=seed.ALICE)
    back = await sign_in_only(world, victim.begin(url), seed.ALICE)
    attacker = Browser(world)
    attacker.get(world.link())  # has a cookie of its own
    for thief in (attacker, Browser(world)):
        assert thief.get(back).headers["location"].endswith("/api/ended/other-browser")
    assert "is connected" in ending(victim, victim.get(back)).text


@pytest.mark.attack
async def test_attackers_answer_in_a_victims_browser(world):
    """Login CSRF, the other way: the attacker's finished sign-in is not taken by the victim."""
    attacker, victim = Browser(world), Browser(world)
    back = await sign_in_only(world, attacker.begin(world.link()), seed.BOB)
    victim.get(world.link())
    assert victim.get(back).headers["location"].endswith("/api/ended/other-browser")


@pytest.mark.attack
async def test_replayed_answer(world):
    browser = Browser(world)
    back = await sign_in_only(world, browser.begin(world.link(uses=5)), seed.ALICE)
    assert "is connected" in ending(browser, browser.get(back)).text
    again = browser.get(back)
    assert again.headers["location"].endswith("/api/ended/state-used")


@pytest.mark.attack
async def test_two_answers_at_once(world):
    """Of two simultaneous callbacks with one state exactly one is taken."""
    browser = Browser(world)
    back = await sign_in_only(world, browser.begin(world.link(uses=5)), seed.ALICE)
    answers = await asyncio.gather(*(asyncio.to_thread(browser.get, back) for _ in range(6)))
    won = [a for a in answers if "/api/finished/" in a.headers["location"]]
    assert len(won) == 1
    lost = {a.headers["location"].rpartition("/")[2] for a in answers if a not in won}
    assert lost == {"state-used"}


@pytest.mark.attack
async def test_injected_code(world):
    """A code of another sign-in does not fit this one's verifier."""
    browser, other = Browser(world), Browser(world)
    stolen = await sign_in_only(world, other.begin(world.link()), seed.BOB)
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    state = state_of(browser.begin(world.link()))
    page = ending(browser, browser.get(callback(world, code=code, state=state)))
    assert "is connected" not in page.text
    assert page.status >= 400


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("AADSTS65004: User declined.", "nothing was connected"),
        ("AADSTS90094: Admin consent required.", "approv"),
        ("AADSTS53003: Blocked.", "rule of your organisation"),
    ],
)
def test_error_from_entra_has_its_page(world, description, words):
    browser = Browser(world)
    state = state_of(browser.begin(world.link()))
    query = {
        "error": "access_denied",
        "error_description": description.replace(" ", "+"),
        "state": state,
    }
    page = ending(browser, browser.get(callback(world, **query)))
    assert words in page.text.lower()
    assert "AADSTS" not in page.text
    assert "Contoso Mail" in page.text


async def test_declined_consent_leaves_the_link_good(world):
    user = f"eve{id(world)}@fabrikam.example"
    world.stack.entra.post("users", tenant=seed.FABRIKAM, upn=user, display_name="Eve", mail=user)
    url = world.link()
    async with world.owner() as owner:
        page = await owner.connect(url, user, accept=False)
        assert "is connected" not in page.text
    async with world.owner() as owner:
        assert "is connected" in (await owner.connect(url, user)).text
        assert (await owner.open(url)).status == 410  # its one use is used now


async def test_wrong_mailbox_is_refused_and_nothing_stored(world):
    before = world.admin.get(f"/api/mailboxes?config={world.config}").body["mailboxes"]
    page = await world.connect(seed.DAVE, expected_address=seed.ALICE)
    assert page.status == 403, page.text
    assert seed.DAVE not in page.text
    assert "d…@c….example" in page.text
    after = world.admin.get(f"/api/mailboxes?config={world.config}").body["mailboxes"]
    assert seed.DAVE not in {each["address"] for each in after}
    assert len(after) == len(before)


async def test_same_owner_finds_the_same_record(world):
    await world.connect(seed.ALICE)
    first = world.mailbox(seed.ALICE)
    await world.connect(seed.ALICE)
    listed = world.admin.get(f"/api/mailboxes?config={world.config}").body["mailboxes"]
    assert [m["id"] for m in listed if m["address"] == seed.ALICE] == [first]


async def test_return_url_is_offered(world):
    page = await world.connect(seed.ALICE, return_url="https://app.contoso.example/done")
    assert 'href="https://app.contoso.example/done"' in page.html


@pytest.mark.attack
async def test_nothing_secret_in_addresses_and_logs(world):
    """After all of this, the app's log holds no code, state, token or key."""
    async with world.owner() as owner:
        await owner.connect(world.link(), seed.ALICE)
        assert not any("?" in hop.url for hop in owner.hops)
    log = (world.stack.folder / "logs" / "app.log").read_text()
    assert "sign-in ended" in log
    for secret in (r"eyJ[\w-]{10,}", r"[?&]code=", r"state=[\w-]{20,}", r"postern_[\w-]{20,}"):
        assert not re.search(secret, log)


async def test_unknown_ticket(world):
    answer = Browser(world).get(f"{world.stack.deployment.base_url}/api/finished/{'A' * 43}")
    assert answer.status >= 400
