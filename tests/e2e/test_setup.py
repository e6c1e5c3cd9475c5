"""The setup road: the script that Postern gives is run, and the app that it makes connects mail.

The script, sh, curl and Postern are real; `az` is played by local/az.py, which does to the
Entra stand-in what Entra's admin would.
"""

import urllib.parse
from dataclasses import dataclass

import pytest

from local import seed
from local.admins_machine import AdminsMachine
from tests.conftest import World

pytestmark = pytest.mark.e2e

HOSTILE = 'Contoso\'s "$(touch pwned)" `x` & @file; \u2018%PATH%\u2019'


def script(world, **query):
    answer = world.admin.get("/api/setup?" + urllib.parse.urlencode(query))
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


@dataclass(frozen=True)
class Machine(AdminsMachine):
    """An admin's machine, and the world that its script changes."""

    world: World

    @property
    def changes(self):
        return self.notes["changes"]

    @property
    def app(self):
        (client_id,) = self.notes["tags"]
        return client_id


@pytest.fixture
def machine(calm, tmp_path):
    return Machine(tmp_path, calm.stack, seed.CONTOSO, str(calm.admin.key), calm)


def configs_of(world, client_id):
    configs = world.admin.get("/api/configs").body["configs"]
    return [each for each in configs if each["client_id"] == client_id]


def test_the_script_makes_an_active_configuration_and_a_second_run_changes_nothing(machine):
    world = machine.world
    text = script(world, name=HOSTILE)
    first = machine.run(text)
    assert first.returncode == 0, first.stdout + first.stderr
    assert not (machine.folder / "pwned").exists()
    app = world.stack.entra.get(f"apps/{machine.app}")
    assert app["displayName"] == HOSTILE
    assert app["signInAudience"] == "AzureADMultipleOrgs"
    assert app["web"]["redirectUris"] == [f"{world.stack.deployment.base_url}/api/callback"]
    assert sorted(app["delegated"]) == sorted(seed.DELEGATED)
    assert (app["passwordCredentials"], app["keyCredentials"]) == ([], [])
    (trust,) = app["federatedIdentityCredentials"]
    assert trust["subject"] == seed.IDENTITY_PRINCIPAL_ID
    (config,) = configs_of(world, machine.app)
    assert (config["state"], config["name"]) == ("active", HOSTILE)
    assert config["credential"] == "managed-identity"
    made = machine.changes
    assert made == [
        "create app",
        "create service principal",
        "create federated credential",
        "consent",
    ]

    second = machine.run(text)
    assert second.returncode == 0, second.stdout + second.stderr
    assert machine.changes == made
    assert world.stack.entra.get(f"apps/{machine.app}") == app
    assert configs_of(world, machine.app) == [config]


async def test_a_mailbox_connects_through_the_app_that_the_script_made(machine):
    world = machine.world
    ran = machine.run(script(world, name="Contoso Setup", set="smtp+imap"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (config,) = configs_of(world, machine.app)
    assert config["protocols"] == ["smtp", "imap"]
    link = world.admin.post(f"/api/configs/{config['id']}/links", {"protocols": ["smtp"]})
    async with world.owner() as owner:
        page = await owner.connect(link.body["url"], seed.BOB)
    assert "is connected" in page.text
    wish = {"mailbox": world.mailbox(seed.BOB, config["id"]), "protocol": "smtp"}
    assert world.sender.post("/api/token", wish).status == 200


@pytest.mark.parametrize("tenant", [seed.FABRIKAM, seed.CONTOSO])
def test_the_certificate_road(calm, tmp_path, tenant):
    machine = Machine(tmp_path, calm.stack, tenant, str(calm.admin.key), calm)
    text = script(
        calm, name="By certificate", tenant=tenant, audience="tenant", credential="certificate"
    )
    first = machine.run(text)
    assert first.returncode == 0, first.stdout + first.stderr
    app = calm.stack.entra.get(f"apps/{machine.app}")
    assert app["signInAudience"] == "AzureADMyOrg"
    assert (app["passwordCredentials"], app["federatedIdentityCredentials"]) == ([], [])
    assert len(app["keyCredentials"]) == 1
    (config,) = configs_of(calm, machine.app)
    assert (config["state"], config["credential"]) == ("active", "certificate")
    made = machine.changes
    second = machine.run(text)
    assert second.returncode == 0, second.stdout + second.stderr
    assert machine.changes == made
    assert calm.stack.entra.get(f"apps/{machine.app}") == app
    assert configs_of(calm, machine.app) == [config]


def test_entra_that_learns_slowly_is_waited_for(machine):
    machine.world.stack.entra.post("settings", federation_delay=4)
    try:
        ran = machine.run(script(machine.world, name="Slow setup"))
    finally:
        machine.world.stack.entra.post("settings", federation_delay=0)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "asking again" in ran.stdout
    (config,) = configs_of(machine.world, machine.app)
    assert config["state"] == "active"


def test_a_run_that_was_cut_off_is_finished_by_the_next(machine):
    """It died after the registration: the app is there, without trust and without consent."""
    world, text = machine.world, script(machine.world, name="Cut off")
    died = machine.run(text.replace('say "2. Service principal"', "exit 9"))
    assert (died.returncode, machine.changes) == (9, ["create app"])
    again = machine.run(text)
    assert again.returncode == 0, again.stdout + again.stderr
    assert machine.changes.count("create app") == 1
    (config,) = configs_of(world, machine.app)
    assert config["state"] == "active"


def test_more_permissions_are_added_to_what_is_there(machine):
    world = machine.world
    assert machine.run(script(world, name="Grows", set="graph-send")).returncode == 0
    assert len(world.stack.entra.get(f"apps/{machine.app}")["delegated"]) == 7
    grown = machine.run(script(world, name="Grows", set="full"))
    assert grown.returncode == 0, grown.stdout + grown.stderr
    assert len(world.stack.entra.get(f"apps/{machine.app}")["delegated"]) == 9
    assert machine.changes[4:] == ["add permission", "add permission", "consent"]


def test_the_wrong_key_makes_nothing(machine):
    text = script(machine.world, name="Wrong key")
    ran = machine.run(text, key=machine.world.sender.key)
    assert ran.returncode == 1
    assert "not-allowed" in ran.stderr
    assert not (machine.folder / "notes.json").exists()


def test_the_page_and_powershell_are_given_as_what_they_are(world):
    page = world.admin.get("/api/setup?name=Contoso&format=page")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha2")
    assert world.stack.deployment.base_url in page.text
    assert script(world, name="Contoso", format="powershell").startswith("#requires -Version 5.1")


def test_no_script_holds_a_key_or_a_secret(world):
    for form in ("sh", "powershell", "page"):
        answer = world.admin.get(f"/api/setup?name=Contoso&format={form}")
        assert "postern_" not in answer.text
        assert world.stack.deployment.function_key not in answer.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "name-malformed"),
        ("name=two%0Alines", "name-malformed"),
        ("name=x&set=all", "setup-option-unknown"),
        ("name=x&colour=red", "setup-option-unknown"),
        ("name=x&tenant=contoso", "tenant-id-malformed"),
        (f"name=x&credential=managed-identity&tenant={seed.FABRIKAM}", "identity-other-tenant"),
    ],
)
def test_a_setup_that_cannot_be(world, query, code):
    answer = world.admin.get(f"/api/setup?{query}")
    assert (answer.status, answer.body["error"]) == (400, code), answer.text


@pytest.mark.rights
def test_only_an_admin_is_given_it(world):
    path = "/api/setup?name=Contoso"
    assert world.api.get(path).status == 401
    assert world.sender.get(path).status == 403
    client = world.key("client", config=world.config, client="acme")
    assert client.get(path).status == 403
