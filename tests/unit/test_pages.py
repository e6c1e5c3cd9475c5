"""What every page must hold, whoever's name is on it."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import postern.pages
from postern.model.branding import Branding
from postern.model.scopes import Protocol, scopes
from postern.pages import Page, Pages
from postern.pages.addresses import mailto, outward, own_or_outward
from postern.pages.colour import DARK_SURFACES, LIGHT_SURFACES, TEXT_CONTRAST, accent, contrast
from postern.pages.permissions import abilities, sentences
from postern.pages.reasons import REASONS, SENDER

PAGES = Pages()
CONTOSO = Branding(product="Contoso Mail", support="help@contoso.example", accent="#7a1f5c")
HOSTILE = "\"'><script>alert(1)</script><i style=x onclick=y>{{7*7}}{0}</style>"
EXPIRES = datetime(2026, 2, 3, 14, 5, tzinfo=UTC)
CODES = {
    *("link-unknown", "link-expired", "link-used", "link-withdrawn", "config-paused", "not-ready"),
    *("declined", "admin-approval-needed", "wrong-account", "account-not-allowed"),
    *("address-taken", "not-assigned"),
    *("blocked-by-policy", "account-disabled", "no-mailbox", "permissions-missing"),
    *("state-unknown", "state-expired", "state-used", "other-browser", "sign-in-failed"),
    *("app-fault", "temporarily-unavailable", "throttled", "cookies-blocked", "cross-site"),
}


class Reader(HTMLParser):
    """Reads a page as a browser does: elements with attributes, and the text between."""

    # Elements without an end tag.
    VOID = frozenset({"meta", "input", "br", "circle", "path"})

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page.html)
        self.close()
        assert self._open == [], "elements are left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        for tag in self._open:
            self.texts[tag] = self.texts.get(tag, "") + data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.texts["body"].split())


def connect(branding: Branding = CONTOSO, value: str = "value", **changes: object) -> Page:
    given: dict[str, Any] = {
        "action": "/api/authorize",
        "link": value,
        "form_token": value,
        "scopes": [*scopes(Protocol), value],
        "expected_address": value,
        "expires": EXPIRES,
    }
    return PAGES.connect(branding, **(given | changes))


def connected(branding: Branding = CONTOSO, value: str = "value", **changes: object) -> Page:
    given: dict[str, Any] = {
        "address": value,
        "protocols": ["smtp", value],
        "missing": ["graph", value],
        "return_url": "https://contoso.example/done?a=1&b=2",
    }
    return PAGES.connected(branding, **(given | changes))


def ended(reason: str, branding: Branding | None = CONTOSO, value: str = "value") -> Page:
    return PAGES.ended(
        branding,
        reason=reason,
        correlation_id=value,
        detail={"expected": value, "actual": value, "missing": value},
        retry_url="/api/connect/x",
    )


def every_page(branding: Branding = CONTOSO, value: str = "value") -> dict[str, Page]:
    return {
        "connect": connect(branding, value),
        "leaving": PAGES.leaving(branding, url="https://login.example/authorize?a=1&b=2"),
        "connected": connected(branding, value),
        **{reason: ended(reason, branding, value) for reason in REASONS},
        "ended for nobody": ended("link-unknown", None, value),
    }


@pytest.fixture(params=every_page().items(), ids=lambda item: item[0])
def page(request: pytest.FixtureRequest) -> Page:
    _, rendered = request.param
    assert isinstance(rendered, Page)
    return rendered


def directives(page: Page) -> dict[str, str]:
    parts = (part.strip().split(" ", 1) for part in page.content_security_policy.split(";"))
    return {part[0]: part[1] for part in parts}


class TestEveryPage:
    def test_has_no_script_and_no_style_but_the_one_block(self, page):
        reader = Reader(page)
        assert reader.all("script") == []
        assert len(reader.all("style")) == 1
        for _, attributes in reader.elements:
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]

    def test_loads_nothing(self, page):
        """Neither from third parties nor from us: all that it needs is in it."""
        reader = Reader(page)
        loading = {"link", "img", "iframe", "object", "embed", "video", "audio", "base", "use"}
        assert loading.isdisjoint(tag for tag, _ in reader.elements)
        assert not [a for _, a in reader.elements if "src" in a or "srcset" in a]
        assert not re.search(r"url\(|@import|@font-face", reader.texts["style"])

    def test_policy_allows_the_style_block_and_nothing_else(self, page):
        (style,) = re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert "\r" not in style, "a browser would normalise it and hash something else"
        assert directives(page) == {
            "default-src": "'none'",
            "style-src": f"'sha256-{digest}'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }

    def test_never_says_who_made_it(self, page):
        assert "postern" not in page.html.lower()

    def test_head_is_complete(self, page):
        reader = Reader(page)
        meta = {a["name"]: a["content"] for a in reader.all("meta") if "name" in a}
        assert page.html.startswith("<!doctype html>")
        assert reader.all("html") == [{"lang": "en"}]
        assert len(reader.texts["title"].strip()) > 10
        assert meta["robots"] == "noindex"
        assert meta["referrer"] == "no-referrer"
        assert meta["color-scheme"] == "light dark"
        assert "width=device-width" in meta["viewport"]
        assert "user-scalable" not in meta["viewport"]

    def test_reads_well_without_seeing_it(self, page):
        """One main part, one first heading, no level skipped, unique ids, hidden ornaments."""
        reader = Reader(page)
        levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
        ids = [a["id"] for _, a in reader.elements if "id" in a]
        assert len(reader.all("main")) == 1
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert len(ids) == len(set(ids))
        assert {a["aria-labelledby"] for a in reader.all("section")} <= set(ids)
        assert all(a["aria-hidden"] == "true" for a in reader.all("svg"))


class TestHostileText:
    def test_stays_text_wherever_it_comes_in(self):
        """Not one element or attribute more than the same page with harmless words."""
        hostile = Branding(product=HOSTILE, support=HOSTILE)
        harmless = Branding(product="value", support="value")
        for (name, page), calm in zip(
            every_page(hostile, HOSTILE.replace(" ", "/")).items(),
            every_page(harmless, "value").values(),
            strict=True,
        ):
            elements = [(tag, sorted(attributes)) for tag, attributes in Reader(page).elements]
            expected = [(tag, sorted(attributes)) for tag, attributes in Reader(calm).elements]
            assert elements == expected, name
            assert "{{7*7}}{0}" in page.html or name == "ended for nobody"

    def test_is_shown_as_it_is(self):
        page = connected(Branding(product="A & B <Mail>"), "anna<b>@x.example")
        reader = Reader(page)
        assert "anna<b>@x.example is now connected to A & B <Mail>." in reader.text
        assert reader.texts["title"].endswith("A & B <Mail>")

    def test_cannot_come_in_as_a_colour(self):
        """Escaping does not help inside a style block."""
        for colour in ("red;}body{display:none", "#12345", "#1234567", "#12345g", "#123456\n", ""):
            with pytest.raises(ValueError, match="#rrggbb"):
                connect(Branding(product="x", accent=colour))

    def test_adds_no_header_to_a_message(self):
        assert mailto("help@contoso.example") == "mailto:help@contoso.example"
        assert "?" not in mailto("a@b.example?bcc=c@d.example")


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "http://contoso.example/",
            "http://localhost.contoso.example/",
            "http://127.0.0.1.contoso.example/",
            "//contoso.example/",
            "/\\contoso.example/",
            "/\t/contoso.example/",
            "https:contoso.example",
            "https:///contoso.example",
            "https://good.example\\@contoso.example/",
            "https://good.example@contoso.example/",
            " https://contoso.example/",
            "https://contoso.example/\r\nx",
            "ftp://contoso.example/",
            "",
        ],
    )
    def test_refuses_what_could_lead_elsewhere(self, url):
        for check in (outward, own_or_outward):
            with pytest.raises(ValueError):  # noqa: PT011 - urlsplit raises its own for some
                check(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://contoso.example/done?a=1&b=2#c",
            "https://contoso.example:8443/",
            "http://127.0.0.1:7071/done",
            "http://localhost:3000/",
            "http://[::1]:3000/",
        ],
    )
    def test_accepts_https_and_loopback(self, url):
        assert outward(url) == own_or_outward(url) == url

    def test_only_own_paths_may_be_relative(self):
        assert own_or_outward("/api/connect/x") == "/api/connect/x"
        with pytest.raises(ValueError, match="https"):
            outward("/api/connect/x")

    def test_every_page_checks_where_it_leads(self):
        bad = "javascript:alert(1)"
        leading: list[Callable[[], Page]] = [
            lambda: connect(action=bad),
            lambda: PAGES.leaving(CONTOSO, url=bad),
            lambda: connected(return_url=bad),
            lambda: PAGES.ended(CONTOSO, reason="declined", retry_url=bad),
            lambda: PAGES.ended(CONTOSO, reason="admin-approval-needed", detail={"admin_url": bad}),
        ]
        for page in leading:
            with pytest.raises(ValueError, match="https"):
                page()


class TestConnect:
    def test_button_posts_the_token_and_there_is_no_other_way_on(self):
        reader = Reader(connect(value='tok"en'))
        assert reader.all("form") == [{"method": "post", "action": "/api/authorize"}]
        assert reader.all("input") == [
            {"type": "hidden", "name": "link", "value": 'tok"en'},
            {"type": "hidden", "name": "form_token", "value": 'tok"en'},
        ]
        assert reader.all("button") == [{"type": "submit"}]
        assert reader.texts["button"] == "Continue to Microsoft"

    def test_tells_who_asks_for_what_until_when_and_how_to_end_it(self):
        text = Reader(connect(value="anna@fabrikam.example")).text
        for part in (
            "Contoso Mail asks to connect your Outlook mailbox",
            "for the mailbox anna@fabrikam.example.",
            "Send mail as you",
            "Read, change and delete mail in your mailbox",
            "until 3 February 2026, 14:05 UTC",
            "You can end this at any time",
            "never sees your password",
            "help@contoso.example",
        ):
            assert part in text

    def test_shows_the_expiry_in_utc_whatever_the_zone_it_came_in(self):
        expires = EXPIRES.astimezone(timezone(timedelta(hours=-11)))
        reader = Reader(connect(expires=expires))
        assert reader.texts["time"] == "3 February 2026, 14:05 UTC"
        assert reader.all("time") == [{"datetime": "2026-02-03T14:05+00:00"}]

    def test_asks_for_no_account_when_none_is_expected(self):
        assert "sign in with that account" not in Reader(connect(expected_address=None)).text


class TestLeaving:
    def test_goes_on_by_itself_and_by_a_link_to_the_same_address(self):
        url = "https://login.example/o?a=1&b=';\"<x>&copy=2&redirect_uri=https%3A%2F%2Fa.example"
        reader = Reader(PAGES.leaving(CONTOSO, url=url))
        refresh = [a["content"] for a in reader.all("meta") if a.get("http-equiv") == "refresh"]
        assert refresh == [f"0;url={url}"]
        assert url in [a["href"] for a in reader.all("a")]


class TestConnected:
    def test_says_what_works_and_what_was_not_allowed(self):
        page = PAGES.connected(
            CONTOSO,
            address="anna@fabrikam.example",
            protocols=[Protocol.SMTP],
            missing=[Protocol.IMAP],
            return_url=None,
        )
        text = Reader(page).text
        can, cannot = text.split("Asked for, but not allowed")
        assert "Send mail as you (SMTP)" in can
        assert "Read, change and delete mail in your mailbox (IMAP)" in cannot
        assert "close this page" in text

    def test_leads_back_only_when_there_is_somewhere_to_go(self):
        back = "https://contoso.example/done?a=1&b=2"
        hrefs = [a["href"] for a in Reader(connected()).all("a")]
        assert back in hrefs
        assert "Back to" not in Reader(connected(return_url=None)).text

    def test_speaks_of_nothing_missing_when_nothing_is(self):
        assert "not allowed" not in Reader(connected(missing=[])).text


class TestEnded:
    def test_table_has_every_reason(self):
        assert set(REASONS) == CODES

    @pytest.mark.parametrize("reason", sorted(REASONS))
    def test_tells_what_happened_who_can_help_and_how(self, reason):
        row = REASONS[reason]
        told = row.told("Contoso Mail")
        text = Reader(ended(reason)).text
        for words, length in (
            (told.title, 15),
            (told.happened, 40),
            (told.who, 3),
            (told.how, 25),
        ):
            assert len(words) >= length
            assert "{" not in words
            assert words in text
        for sentence in (told.happened, told.how):
            assert sentence.endswith(".")
        assert not re.search("AADSTS|OAuth|token|scope|tenant|consent", text, re.IGNORECASE)
        assert 200 <= row.status < 600
        assert ended(reason).status == row.status

    @pytest.mark.parametrize("reason", sorted(REASONS))
    def test_reads_well_when_nobody_knows_who_sent_the_link(self, reason):
        """The stand-in for a name begins in lower case, so no sentence may begin with it."""
        row = REASONS[reason]
        for words in (row.title, row.happened, row.how):
            assert not re.search(r"(^|[.!?] ){product}", words)
        text = Reader(PAGES.ended(None, reason=reason)).text
        if row.who == SENDER:
            assert "The sender of your link" in text
        assert "None" not in text

    def test_unknown_reason_is_an_error_and_no_blank_page(self):
        with pytest.raises(KeyError):
            PAGES.ended(CONTOSO, reason="no-such-reason")

    def test_shows_both_accounts_when_the_wrong_one_was_used(self):
        detail = {"expected": "a•••@fabrikam.example", "actual": "b•••@other.example"}
        text = Reader(PAGES.ended(CONTOSO, reason="wrong-account", detail=detail)).text
        assert "This link is for a•••@fabrikam.example" in text
        assert "You signed in with b•••@other.example" in text

    def test_shows_only_the_facts_that_belong_to_the_reason(self):
        detail = {"expected": "a@fabrikam.example", "actual": "b@other.example"}
        text = Reader(PAGES.ended(CONTOSO, reason="link-expired", detail=detail)).text
        assert "fabrikam" not in text
        assert "other.example" not in text

    def test_names_missing_permissions_in_words(self):
        detail = {"missing": "imap, https://outlook.office.com/SMTP.Send"}
        text = Reader(PAGES.ended(CONTOSO, reason="permissions-missing", detail=detail)).text
        assert "in your mailbox (IMAP) Send mail as you" in text

    def test_hands_the_administrator_a_link(self):
        url = "https://login.example/t/v2.0/adminconsent?client_id=x&state=y"
        page = PAGES.ended(CONTOSO, reason="admin-approval-needed", detail={"admin_url": url})
        reader = Reader(page)
        assert url in [a["href"] for a in reader.all("a")]
        assert url in reader.text

    def test_correlation_id_can_be_given_to_support(self):
        page = PAGES.ended(CONTOSO, reason="sign-in-failed", correlation_id="2c8f7f2e-6a2b")
        assert Reader(page).texts["code"] == "2c8f7f2e-6a2b"
        assert "code" not in Reader(PAGES.ended(CONTOSO, reason="sign-in-failed")).texts

    def test_offers_to_start_again_only_where_that_leads_somewhere(self):
        assert "/api/connect/x" in [a["href"] for a in Reader(ended("declined")).all("a")]
        page = PAGES.ended(CONTOSO, reason="link-expired")
        assert "button" not in [a.get("class") for a in Reader(page).all("a")]


class TestPermissions:
    def test_each_sentence_once_in_a_stable_order(self):
        wanted = [*scopes(Protocol), "offline_access", "openid", "profile", "email"]
        told = sentences(wanted)
        assert told == sentences(reversed(wanted))
        assert told == (
            "Send mail as you",
            "Read, change and delete mail in your mailbox",
            "Sign you in and see your basic profile (name, e-mail address)",
            "Stay connected until you or your administrator withdraws it",
        )

    def test_names_are_taken_with_and_without_resource_in_any_case(self):
        for scope in ("SMTP.Send", "smtp.send", "https://outlook.office.com/SMTP.Send"):
            assert sentences([scope]) == ("Send mail as you",)

    def test_unknown_permission_is_shown_by_its_name(self):
        told = sentences(["Calendars.Read", "SMTP.Send"])
        assert told == ("Send mail as you", "Use the Microsoft permission “Calendars.Read”")

    def test_same_name_of_another_resource_is_another_permission(self):
        assert "https://evil.example/Mail.Send" in sentences(["https://evil.example/Mail.Send"])[0]

    @given(st.lists(st.text(min_size=1), max_size=6))
    def test_nothing_is_left_out(self, names):
        told = abilities(names)
        for name in names:
            assert set(abilities([name])) <= set(told)


class TestContrast:
    colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")

    def test_known_values(self):
        assert contrast("#000000", "#ffffff") == pytest.approx(21)
        assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
        assert accent("#1F5FBF").text == "#ffffff"
        assert accent("#ffdd33").text == "#000000"

    @given(colours)
    def test_any_accent_can_be_read(self, colour):
        shades = accent(colour)
        assert shades.fill == colour
        assert contrast(shades.text, shades.fill) >= TEXT_CONTRAST
        for surface in LIGHT_SURFACES:
            assert contrast(shades.on_light, surface) >= TEXT_CONTRAST
        for surface in DARK_SURFACES:
            assert contrast(shades.on_dark, surface) >= TEXT_CONTRAST

    def test_readable_accent_is_not_changed(self):
        assert accent("#1f5fbf").on_light == "#1f5fbf"

    def test_style_sheet_lies_on_the_computed_surfaces_and_can_be_read(self):
        """style.css repeats the surfaces; its own text colours obey the same rule."""
        css = (Path(postern.pages.__file__).parent / "style.css").read_text(encoding="utf-8")
        blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
        for block, surfaces in zip(blocks, (LIGHT_SURFACES, DARK_SURFACES), strict=True):
            values = dict(re.findall(r"--([\w-]+): (#\w+);", block))
            assert (values["page"], values["card"]) == surfaces
            for name in ("ink", "quiet", "good"):
                for surface in surfaces:
                    assert contrast(values[name], surface) >= TEXT_CONTRAST
        assert set(re.findall(r"#[0-9a-f]{6}", css)) == set(
            re.findall(r"#[0-9a-f]{6}", "".join(blocks))
        ), "every colour has a name, so every colour is checked"

    def test_accent_reaches_the_page(self):
        style = Reader(connect()).texts["style"]
        assert "--accent:#7a1f5c;--on-accent:#ffffff;" in style

    def test_keyboard_focus_is_visible(self):
        style = Reader(connect()).texts["style"]
        assert re.search(r":focus-visible \{\s*outline: 3px solid var\(--ink\)", style)
        assert "outline: none" not in style
