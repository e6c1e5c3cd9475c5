"""An owner with a real browser: app and Entra stand on different sites, cookies are real."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from local import seed

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; as root, `make test` installs it"),
]

# A closed network and a root user; without the others Chromium looks up its maker's hosts.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium) -> Iterator[BrowserContext]:
    # The throw-away CA is not in the browser's store; the names and sites are real all the same.
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=False)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context) -> Page:
    return context.new_page()


def sign_in(page: Page, address: str) -> None:
    """Go through Entra's pages: account, password, consent if asked."""
    page.fill("input[name=login]", address)
    page.fill("input[name=passwd]", "correct horse")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    accept = page.locator("button[value=accept]")
    if accept.count():
        accept.click()


def test_owner_connects_with_the_keyboard_and_without_scripts(world, page):
    page.goto(world.link(expected_address=seed.ALICE))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Contoso Mail asks")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.locator("button:focus").count():
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"{world.stack.deployment.entra_url}/**")
    sign_in(page, seed.ALICE)
    page.wait_for_url("**/api/finished/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your mailbox is connected")
    expect(page.locator("body")).to_contain_text(seed.ALICE)
    assert "?" not in page.url
    answer = world.sender.post(
        "/api/token", {"mailbox": world.mailbox(seed.ALICE), "protocol": "smtp"}
    )
    assert answer.status == 200


def test_cookie_that_is_strict_would_break_the_way_back(world, context, page):
    """The browser enforces SameSite here, so the test above fails if the cookie becomes Strict."""

    def strict(route: Route) -> None:
        answer = route.fetch()
        headers = dict(answer.headers)
        assert "samesite=lax" in headers["set-cookie"]
        headers["set-cookie"] = headers["set-cookie"].replace("samesite=lax", "samesite=strict")
        route.fulfill(response=answer, headers=headers)

    page.route("**/api/connect/*", strict)
    page.goto(world.link())
    page.get_by_role("button", name="Continue to Microsoft").click()
    page.wait_for_url(f"{world.stack.deployment.entra_url}/**")
    sign_in(page, seed.ALICE)
    page.wait_for_url("**/api/ended/other-browser")


def test_cookie_is_out_of_reach_of_scripts_and_of_other_paths(world, context, page):
    page.goto(world.link())
    cookie = next(each for each in context.cookies() if each["name"] == "__Host-browser")
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"


@pytest.mark.attack
def test_foreign_page_cannot_press_the_button(world, context, page):
    """A page on Entra's host posts our form's fields: the browser says where it comes from."""
    page.goto(world.link())
    fields = {
        name: page.locator(f"input[name={name}]").get_attribute("value")
        for name in ("link", "form_token")
    }
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    action = f"{world.stack.deployment.base_url}/api/authorize"
    html = f'<form method="post" action="{action}">{inputs}<button>Win a prize</button></form>'
    evil = f"{world.stack.deployment.entra_url}/prize"
    page.route(evil, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(evil)
    with page.expect_navigation():
        page.get_by_role("button", name="Win a prize").click()
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("Microsoft")
    assert page.url == action
    assert "login" not in page.content()


def test_page_cannot_be_framed(world, page):
    evil = f"{world.stack.deployment.entra_url}/frame"
    html = f'<iframe src="{world.link()}"></iframe>'
    page.route(evil, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(evil)
    page.wait_for_load_state("networkidle")
    frame = page.frames[1]
    assert frame.locator("button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(world, chromium, scheme):
    context = chromium.new_context(
        ignore_https_errors=True,
        viewport={"width": 360, "height": 740},
        color_scheme=scheme,
    )
    page = context.new_page()
    page.goto(world.link(expected_address="a-rather-long-name@a-rather-long-domain.example"))
    wide = page.evaluate("document.documentElement.scrollWidth")
    folder = world.stack.folder / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"connect-{scheme}.png", full_page=True)
    context.close()
    assert wide <= 360
