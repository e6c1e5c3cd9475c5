"""Starts the stack, walks the main job, then stays for a browser; with `ONCE=1` it ends there."""

import asyncio
import os
import signal
import sys

from local import seed
from local.api import Api
from local.demo.job import EVERY_FIVE_SECONDS, WATCHABLE, walk_main_job
from local.demo.roads import Connected
from local.demo.walk import Unproven, Walk
from local.deployment import KNOWN
from local.stack import RUN_FOLDER, Stack, stay


def main() -> int:
    """Return 0 only if every step was proven."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    walk = Walk()
    stack = Stack(
        RUN_FOLDER, ports=KNOWN, keep=True, schedule=EVERY_FIVE_SECONDS, settings=WATCHABLE
    )
    try:
        walk.wait("starting Azurite, Entra, two vaults, a mail server and the app on loopback")
        stack.start()
        try:
            admin, sender, connected = asyncio.run(walk_main_job(stack, walk))
        except Unproven as exc:
            print(f"\nNOT PROVEN: {exc}\nlogs: {RUN_FOLDER}/logs", file=sys.stderr)
            return 1
        walk.end()
        if os.environ.get("ONCE"):
            return 0
        _invite(stack, admin, sender, connected)
        return stay(stack)
    except KeyboardInterrupt:
        return 0
    finally:
        stack.stop()


def _invite(stack: Stack, admin: str, sender: str, connected: Connected) -> None:
    base, ca = stack.deployment.base_url, stack.certificates.ca
    link = Api(base, ca, admin).post(f"/api/configs/{connected.config}/links", {"uses": 100}).body
    print(
        f"""
The stack stays up until Ctrl-C. Everything is on loopback, with a throw-away certificate.

Try it in a browser (accept its warning about the certificate, for both addresses):
  connect a mailbox   {link["url"]}
  sign in as          {seed.ALICE}, {seed.CAROL}, {seed.BOB} or {seed.DAVE}
  password            correct horse

Try it with curl:
  export ADMIN={admin}
  export SENDER={sender}
  curl --cacert {ca} -H "Authorization: Bearer $ADMIN" {base}/api/configs
  curl --cacert {ca} -H "Authorization: Bearer $ADMIN" \\
    "{base}/api/mailboxes?config={connected.config}"
  curl --cacert {ca} -H "Authorization: Bearer $SENDER" {base}/api/token \\
    -d '{{"mailbox": "{connected.mailbox}", "protocol": "smtp"}}'

Mails that were sent:  curl --cacert {ca} {stack.deployment.mail_url}/_control/messages
Logs:                  {stack.folder / "logs"}
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
