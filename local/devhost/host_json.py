"""What host.json and the settings say, read as strictly as the host reads them."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.devhost.refusal import Refused

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d{1,7})?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """`extensions.queues`; the defaults are the host's."""

    maximum_poll: float = 60.0
    retry_after: float = 0.0
    batch: int = 16
    new_batch_at: int = 8
    tries: int = 5
    base64: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRules:
    """All of host.json that this host obeys."""

    route_prefix: str
    custom_headers: Mapping[str, str]
    function_timeout: float | None
    queues: QueueRules


def read_host_json(app: Path) -> HostRules:
    """Read `<app>/host.json`; without it the host would not even see an app."""
    try:
        content = json.loads((app / "host.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused("host.json", f"there is none in {app.name or app}") from None
    except ValueError as error:
        raise Refused("host.json", f"is not JSON: {error}") from None
    if content.get("version") != "2.0":
        raise Refused("host.json", 'the host needs "version": "2.0"')
    extensions = content.get("extensions", {})
    http = extensions.get("http", {})
    return HostRules(
        route_prefix=http.get("routePrefix", "api").strip("/"),
        custom_headers=http.get("customHeaders", {}),
        function_timeout=_function_timeout(content.get("functionTimeout", "00:30:00")),
        queues=_queue_rules(extensions.get("queues", {})),
    )


def _function_timeout(text: str) -> float | None:
    return None if text == "-1" else _seconds("functionTimeout", text)


def _queue_rules(given: Mapping[str, Any]) -> QueueRules:
    batch = given.get("batchSize", 16)
    rules = QueueRules(
        maximum_poll=_seconds("maxPollingInterval", given.get("maxPollingInterval", "00:01:00")),
        retry_after=_seconds("visibilityTimeout", given.get("visibilityTimeout", "00:00:00")),
        batch=batch,
        new_batch_at=given.get("newBatchThreshold", batch // 2),
        tries=given.get("maxDequeueCount", 5),
        base64=given.get("messageEncoding", "base64").lower() == "base64",
    )
    if not 1 <= rules.batch <= 32:
        raise Refused("host.json", "queues.batchSize must be 1 to 32")
    if rules.new_batch_at < 0 or rules.tries < 1:
        raise Refused("host.json", "queues: newBatchThreshold from 0, maxDequeueCount from 1")
    if rules.maximum_poll < 0.1:
        raise Refused("host.json", "queues.maxPollingInterval must be at least 100 ms")
    if given.get("messageEncoding", "base64").lower() not in ("base64", "none"):
        raise Refused("host.json", "queues.messageEncoding must be base64 or none")
    return rules


def _seconds(name: str, text: Any) -> float:
    found = _TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Refused("host.json", f"{name} must be a time span such as 00:00:30, not {text!r}")
    days, hours, minutes, seconds = found.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


def apply_local_settings(file: Path) -> None:
    """Put the "Values" of local.settings.json where the environment has none, as `func` does."""
    if not file.exists():
        return
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(file.name, f"is not JSON: {error}") from None
    for name, value in content.get("Values", {}).items():
        os.environ.setdefault(name, str(value))


def expand(function: str, text: str, settings: Mapping[str, str]) -> str:
    """Resolve %NAME% from the settings; the host does not start a function without it."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in settings:
            raise Refused(function, f"%{found[1]}% does not resolve: there is no such setting")
        return settings[found[1]]

    return re.sub("%([^%]+)%", value, text)
