"""Starts the dev host: `python -m local.devhost --help`."""

import argparse
import asyncio
import logging
import os
import secrets
import sys
from pathlib import Path

from local.devhost.functions import Function, HttpTrigger, TimerTrigger
from local.devhost.host import Address, run
from local.devhost.host_json import apply_local_settings, read_host_json
from local.devhost.indexing import index, load
from local.devhost.keys import Keys
from local.devhost.refusal import Refused
from local.devhost.stopping import Stopping

# The host takes a message for ten minutes and renews that while the function runs.
_LEASE_SECONDS = 600

_BANNER = (
    "This is Postern's DEV HOST, not the Azure Functions host. It leaves out: retry policies, "
    "HTTP streaming, CORS, Easy Auth, blob and other bindings, identity-based connections, "
    "catching up on missed timers, scaling, and ending the worker after a timeout."
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.devhost", description=_BANNER)
    parser.add_argument(
        "app", type=Path, nargs="?", default=Path(), help="where function_app.py is"
    )
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", choices=("127.0.0.1", "localhost"))
    parser.add_argument("--cert", type=Path, help="serve over HTTPS with this certificate")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--master-key", help="default: a random one, printed")
    parser.add_argument("--function-key", help="default: a random one, printed")
    parser.add_argument(
        "--settings",
        default="local.settings.json",
        help='its "Values" are used where the environment has none; "none" to do without',
    )
    parser.add_argument(
        "--queue-lease",
        type=float,
        default=_LEASE_SECONDS,
        metavar="SECONDS",
        help="how long a message stays hidden if this host is killed",
    )
    given = parser.parse_args()
    if bool(given.cert) != bool(given.key):
        parser.error("--cert and --key belong together")
    return given


async def _main(given: argparse.Namespace) -> None:
    folder = given.app.resolve()
    stopping = Stopping()
    if given.settings != "none":
        apply_local_settings(folder / given.settings)
    rules = read_host_json(folder)
    app = load(folder)
    functions = index(app, prefix=rules.route_prefix, settings=os.environ)
    stopping.obey_signals()
    for function in functions:
        print(f"  {function.name}: {_describe(function)}")
    await run(
        functions,
        rules=rules,
        keys=_keys(given),
        address=Address(port=given.port, cert=given.cert, key=given.key),
        lease=given.queue_lease,
        stopping=stopping,
    )


def _keys(given: argparse.Namespace) -> Keys:
    keys = Keys(
        master=given.master_key or secrets.token_urlsafe(32),
        function=given.function_key or secrets.token_urlsafe(32),
    )
    if not given.master_key:
        print(f"master key of this run: {keys.master}")
    if not given.function_key:
        print(f"function key of this run: {keys.function}")
    return keys


def _describe(function: Function) -> str:
    trigger = function.trigger
    if isinstance(trigger, HttpTrigger):
        methods = ",".join(sorted(trigger.methods)) or "every method"
        return f"{methods} /{trigger.template.text} ({trigger.level})"
    if isinstance(trigger, TimerTrigger):
        return f"timer {trigger.schedule}"
    return f"queue {trigger.queue}"


if __name__ == "__main__":
    print(_BANNER, flush=True)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        asyncio.run(_main(_arguments()))
    except Refused as refused:
        sys.exit(f"refused to start: {refused}")
    # A worker is ended, not unwound: an app gets no call at its end, so none of its objects may
    # count on one, nor complain of its absence here.
    sys.stdout.flush()
    os._exit(0)
