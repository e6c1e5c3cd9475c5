"""The only reader of the environment. A wrong or loosened setting stops the app, by its name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from postern.errors import SettingWrong

# Entra's and Graph's hosts (the public cloud and the sovereign ones). Any other host would be sent
# codes, refresh tokens and app-only tokens, so it must be on this machine.
AUTHORITY_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
GRAPH_HOSTS = frozenset(
    {
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
    }
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the app. The platform's own (`AzureWebJobsStorage`…) are not here."""

    base_url: str
    tenant_id: str
    identity_client_id: str
    identity_principal_id: str
    tables_url: str
    intake_vault_url: str
    keys_vault_url: str
    authority_host: str
    graph_url: str
    keep_alive: timedelta
    margin: timedelta
    intake_life: timedelta

    @property
    def redirect_uri(self) -> str:
        """Return the one redirect URI that the app registration lists."""
        return f"{self.base_url}/api/callback"


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. Raises `SettingWrong` naming the key."""
    return Settings(
        base_url=_url(environment, "POSTERN_BASE_URL"),
        tenant_id=_text(environment, "POSTERN_TENANT_ID").lower(),
        identity_client_id=_text(environment, "POSTERN_IDENTITY_CLIENT_ID"),
        identity_principal_id=_text(environment, "POSTERN_IDENTITY_PRINCIPAL_ID"),
        tables_url=_url(environment, "POSTERN_TABLES_URL"),
        intake_vault_url=_url(environment, "POSTERN_INTAKE_VAULT_URL"),
        keys_vault_url=_url(environment, "POSTERN_KEYS_VAULT_URL"),
        authority_host=_pinned(
            environment,
            "POSTERN_AUTHORITY_HOST",
            "https://login.microsoftonline.com",
            AUTHORITY_HOSTS,
        ),
        graph_url=_pinned(
            environment, "POSTERN_GRAPH_URL", "https://graph.microsoft.com", GRAPH_HOSTS
        ),
        keep_alive=_seconds(environment, "POSTERN_KEEP_ALIVE_SECONDS", 86_400, 20, 2_592_000),
        margin=_seconds(environment, "POSTERN_MARGIN_SECONDS", 600, 1, 3_600),
        intake_life=_seconds(environment, "POSTERN_INTAKE_SECONDS", 600, 5, 3_600),
    )


def on_loopback(url: str) -> bool:
    """Say whether *url* stays on this machine: only there may a check be loosened."""
    return urlsplit(url).hostname in _LOOPBACK


def _text(environment: Mapping[str, str], key: str, default: str | None = None) -> str:
    value = environment.get(key, "").strip() or default
    if not value:
        msg = f"the setting {key} is missing"
        raise SettingWrong(msg)
    return value


def _url(environment: Mapping[str, str], key: str, default: str | None = None) -> str:
    value = _text(environment, key, default).rstrip("/")
    msg = f"the setting {key} is not an https address"
    try:
        parts = urlsplit(value)
    except ValueError as exc:
        raise SettingWrong(msg) from exc
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
        raise SettingWrong(msg)
    return value


def _pinned(environment: Mapping[str, str], key: str, default: str, hosts: frozenset[str]) -> str:
    value = _url(environment, key, default)
    if urlsplit(value).hostname not in hosts and not on_loopback(value):
        msg = f"the setting {key} is neither Microsoft's host nor on this machine"
        raise SettingWrong(msg)
    return value


def _seconds(
    environment: Mapping[str, str], key: str, default: int, least: int, most: int
) -> timedelta:
    value = _text(environment, key, str(default))
    if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
        msg = f"the setting {key} is not a number from {least} to {most}"
        raise SettingWrong(msg)
    return timedelta(seconds=int(value))
