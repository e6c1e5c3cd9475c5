"""The control API's part about time, faults and settings, and what has been recorded."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from local.entra.authority import tenant_id
from local.entra.context import Entra
from local.entra.control_edge import Unclear, apply, control, read
from local.entra.faults import Fault
from local.entra.model import Settings


class _Advance(Struct, kw_only=True, forbid_unknown_fields=True):
    advance: float


class _SettingsChange(Struct, kw_only=True, forbid_unknown_fields=True):
    access_token_lifetime: float | UnsetType | None = UNSET
    federation_delay: float | UnsetType = UNSET
    certificate_delay: float | UnsetType = UNSET


@control
async def add_fault(request: Request, entra: Entra) -> None:
    fault = await read(request, Fault)
    if fault.times < 1:
        message = "times must be at least 1"
        raise Unclear(message)
    if fault.tenant:
        fault.tenant = tenant_id(entra.state, fault.tenant)
    entra.faults.add(fault)


@control
async def clear_faults(_: Request, entra: Entra) -> None:
    entra.faults.clear()


@control
async def change_settings(request: Request, entra: Entra) -> dict[str, Any]:
    settings: Settings = entra.state.settings
    apply(settings, await read(request, _SettingsChange))
    return msgspec.structs.asdict(settings)


@control
async def advance_clock(request: Request, entra: Entra) -> dict[str, float]:
    entra.clock.advance((await read(request, _Advance)).advance)
    entra.state.clock_offset = entra.clock.offset
    return {"now": entra.clock.now(), "offset": entra.clock.offset}


@control
async def exchanges(_: Request, entra: Entra) -> dict[str, Any]:
    return {"exchanges": entra.audit.listed()}


@control
async def sent(_: Request, entra: Entra) -> dict[str, Any]:
    return {"sent": [msgspec.structs.asdict(one) for one in entra.state.sent]}
