"""The main job from end to end: what `make run` shows and a test repeats."""

import secrets

from local import seed, traces
from local.api import Api
from local.demo import roads
from local.demo.proofs import send_mail
from local.demo.roads import Connected
from local.demo.walk import Walk, require
from local.stack import Stack

# So short that the timer's work can be watched; a real deployment refreshes every 24 hours.
WATCHABLE = {"POSTERN_KEEP_ALIVE_SECONDS": "30", "POSTERN_MARGIN_SECONDS": "5"}
EVERY_FIVE_SECONDS = "*/5 * * * * *"


async def walk_main_job(stack: Stack, walk: Walk) -> tuple[str, str, Connected]:
    """Walk the whole main job; return the admin's and the sender's key and a mailbox."""
    walk.title("The platform")
    admin = roads.bootstrap(stack, walk)

    walk.title("An app of our own tenant: hand-over to the managed identity")
    config, secret = roads.activate_at_home(stack, walk, admin)
    mailbox = await roads.connect(stack, walk, admin, config, seed.ALICE)
    home = Connected(config=config, mailbox=mailbox, client_id=seed.CONTOSO_MAIL, secret=secret)
    sender = roads.send(stack, walk, admin, mailbox, seed.BOB)

    walk.title("An app of another tenant: hand-over to a certificate")
    config, secret = roads.activate_elsewhere(stack, walk, admin)
    mailbox = await roads.connect(stack, walk, admin, config, seed.CAROL)
    away = Connected(config=config, mailbox=mailbox, client_id=seed.FABRIKAM_MAIL, secret=secret)
    roads.send(stack, walk, admin, mailbox, seed.ALICE)

    walk.title("No secret at all: the generated setup script")
    config, _ = roads.set_up_by_script(stack, walk, admin)
    mailbox = await roads.connect(stack, walk, admin, config, seed.BOB)
    roads.send(stack, walk, admin, mailbox, seed.DAVE)

    walk.title("Time passes")
    for each in (home, away):
        roads.wait_for_refresh(stack, walk, admin, each)

    walk.title("Everything stops and starts again")
    _restart(stack, walk, sender, home, away)
    return admin.key or "", sender.key or "", home


def _restart(stack: Stack, walk: Walk, sender: Api, *connected: Connected) -> None:
    stack.stop()
    walk.step("Stopped the app and every service", "nothing of the stack is left running")
    stack.start()
    for each in connected:
        mail = send_mail(stack, sender, each.mailbox, seed.DAVE, f"Again {secrets.token_hex(3)}")
        require(mail["user"], "nobody sent it")
        found = traces.find(stack, each.secret)
        require(not found, f"a client secret is in: {found}")
    walk.step(
        "Started it again and sent a mail from each mailbox",
        "both arrived; the client secrets are still nowhere",
    )
