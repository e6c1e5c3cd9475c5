"""Starts one vault: `python -m local.keyvault --help`."""

import argparse
import asyncio
from pathlib import Path

from local.keyvault.app import build, settle_forever
from local.keyvault.items import Rules
from local.keyvault.rights import Rights
from local.serving import listen, port_of, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.keyvault",
        description="A strict Key Vault on the loopback address. For development only.",
    )
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port")
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--vault", required=True, help="the vault's name")
    parser.add_argument("--entra", required=True, help="where Entra's signing keys are")
    parser.add_argument("--tenant", required=True, help="the only tenant callers may be of")
    parser.add_argument("--purge-protection", action="store_true")
    parser.add_argument("--retention-days", type=int, default=7, choices=range(7, 91), metavar="N")
    parser.add_argument("--deletion-delay", type=float, default=0.2, metavar="SECONDS")
    parser.add_argument("--permissions", type=Path, help='JSON: {"oid": ["secrets/get", ...]}')
    parser.add_argument("--allow", action="append", default=[], metavar="OID=WORD,WORD")
    parser.add_argument("--state", type=Path, help="a file, readable by its owner only")
    return parser.parse_args()


async def _main(given: argparse.Namespace) -> None:
    rules = Rules(
        purge_protection=given.purge_protection,
        retention_days=given.retention_days,
        deletion_delay=given.deletion_delay,
    )
    app, vault = build(
        name=given.vault,
        rules=rules,
        rights=Rights.read(given.permissions, given.allow),
        entra=given.entra.rstrip("/"),
        tenant=given.tenant,
        file=given.state,
    )
    bound = listen(given.port)
    ready = f"https://127.0.0.1:{port_of(bound)} vault={given.vault}"
    await serve(app, bound, given.cert, given.key, ready, settle_forever(vault))


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
