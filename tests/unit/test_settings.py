"""A wrong or loosened setting stops the app, and its name is told."""

import re
from datetime import timedelta

import pytest

from postern.errors import SettingWrong
from postern.settings import AUTHORITY_HOSTS, GRAPH_HOSTS, on_loopback, read

GIVEN = {
    "POSTERN_BASE_URL": "https://mail.contoso.example",
    "POSTERN_TENANT_ID": "C0000000-0000-4000-8000-000000000001",
    "POSTERN_IDENTITY_CLIENT_ID": "1d000000-0000-4000-8000-00000000000c",
    "POSTERN_IDENTITY_PRINCIPAL_ID": "1D000000-0000-4000-8000-00000000000A",
    "POSTERN_TABLES_URL": "https://contoso.table.core.windows.net",
    "POSTERN_INTAKE_VAULT_URL": "https://contoso-intake.vault.azure.net",
    "POSTERN_KEYS_VAULT_URL": "https://contoso-keys.vault.azure.net",
}
URLS = [key for key in GIVEN if key.endswith("_URL")]
EVERY_URL = [*URLS, "POSTERN_AUTHORITY_HOST", "POSTERN_GRAPH_URL"]
# The hosts that are sent codes, refresh tokens and app-only tokens.
PINNED = ["POSTERN_AUTHORITY_HOST", "POSTERN_GRAPH_URL"]
SECONDS = ["POSTERN_KEEP_ALIVE_SECONDS", "POSTERN_MARGIN_SECONDS", "POSTERN_INTAKE_SECONDS"]


def refused(key: str, value: str) -> str:
    """Return why the app does not start with this value."""
    with pytest.raises(SettingWrong) as caught:
        read(GIVEN | {key: value})
    return str(caught.value)


def test_the_settings_of_a_deployment():
    settings = read(GIVEN)
    assert settings.base_url == "https://mail.contoso.example"
    assert settings.redirect_uri == "https://mail.contoso.example/api/callback"
    assert settings.tenant_id == "c0000000-0000-4000-8000-000000000001"
    # Entra compares the case of a federated credential's subject.
    assert settings.identity_principal_id == "1D000000-0000-4000-8000-00000000000A"
    assert settings.authority_host == "https://login.microsoftonline.com"
    assert settings.graph_url == "https://graph.microsoft.com"
    assert settings.keep_alive == timedelta(days=1)
    assert settings.margin == settings.intake_life == timedelta(minutes=10)


def test_they_are_read_from_the_environment_by_default(monkeypatch):
    for key, value in GIVEN.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("POSTERN_BASE_URL", "https://from.the.environment")
    assert read().base_url == "https://from.the.environment"


@pytest.mark.parametrize("key", GIVEN)
@pytest.mark.parametrize("value", [None, "", "  \t"])
def test_a_missing_setting_is_named(key, value):
    given = {name: text for name, text in GIVEN.items() if name != key}
    with pytest.raises(SettingWrong, match=re.escape(key)):
        read(given if value is None else given | {key: value})


@pytest.mark.parametrize("key", EVERY_URL)
@pytest.mark.parametrize(
    "value",
    [
        "http://contoso.example",
        "http://127.0.0.1:8080",
        "contoso.example",
        "//contoso.example",
        "https://",
        "https:///path",
        "https://localhost?x=1",
        "https://user@localhost",
        "https://user:password@localhost",
        "ftp://localhost",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://[::1",
        "https://[",
    ],
)
def test_what_is_no_https_address_is_refused_by_name(key, value):
    assert key in refused(key, value)


@pytest.mark.parametrize("key", SECONDS)
@pytest.mark.parametrize(
    "value", ["ten", "-600", "1.5", "6e2", "0", "99999999", "600 s", "0x10", "60²", "٦٠٠"]
)
def test_what_is_no_number_in_its_range_is_refused_by_name(key, value):
    assert key in refused(key, value)


def test_no_value_is_repeated_in_a_refusal():
    """Somebody may have pasted a secret into the wrong field, and this text is logged."""
    for key in [*EVERY_URL, *SECONDS]:
        assert "hunter2" not in refused(key, "https+hunter2://x?y=hunter2")


def test_blanks_around_a_value_and_a_last_slash_are_left_off():
    settings = read(GIVEN | {"POSTERN_BASE_URL": " https://mail.contoso.example/ "})
    assert settings.redirect_uri == "https://mail.contoso.example/api/callback"
    assert read(GIVEN | {"POSTERN_MARGIN_SECONDS": " 30 "}).margin == timedelta(seconds=30)


def test_the_clouds_of_microsoft_are_known():
    for host in AUTHORITY_HOSTS:
        assert read(GIVEN | {"POSTERN_AUTHORITY_HOST": f"https://{host}"}).authority_host
    for host in GRAPH_HOSTS:
        assert read(GIVEN | {"POSTERN_GRAPH_URL": f"https://{host}"}).graph_url


@pytest.mark.parametrize("host", ["localhost:8401", "127.0.0.1:8401", "[::1]:8401"])
def test_a_stand_in_on_this_machine_may_take_their_place(host):
    settings = read(GIVEN | dict.fromkeys(PINNED, f"https://{host}"))
    assert settings.authority_host == settings.graph_url == f"https://{host}"


@pytest.mark.attack
@pytest.mark.parametrize("key", PINNED)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "login.microsoftonline.com.evil.example",
        "graph.microsoft.com.evil.example",
        "evil-graph.microsoft.com",
        "evil-login.microsoftonline.com",
        "sub.login.microsoftonline.com",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 - a host that must be refused
        "[::]",
        "evil.example#login.microsoftonline.com",
        "evil.example/login.microsoftonline.com",
        "evil.example/@localhost",
    ],
)
def test_no_other_host_is_sent_codes_and_tokens(key, host):
    assert key in refused(key, f"https://{host}")


@pytest.mark.attack
def test_entra_and_graph_do_not_stand_for_each_other():
    assert refused("POSTERN_AUTHORITY_HOST", "https://graph.microsoft.com")
    assert refused("POSTERN_GRAPH_URL", "https://login.microsoftonline.com")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://localhost:8402", True),
        ("https://LOCALHOST", True),
        ("https://127.0.0.1:8402/x", True),
        ("https://[::1]", True),
        ("https://contoso.vault.azure.net", False),
        ("https://localhost.evil.example", False),
        ("https://evil.example/localhost", False),
        ("https://evil.example?localhost", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(url, expected):
    assert on_loopback(url) is expected
