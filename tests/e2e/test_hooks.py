"""The hooks of `azd up`, run as azd runs them, against the local stack and a stand-in for `az`."""

import json
import os
import shutil
import stat
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import seed
from local.api import Api
from local.stack import Stack
from tests.conftest import World

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]


class Deployment:
    """A checkout with the hooks in it, and the environment that azd gives them."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self.folder = folder
        self.stack = stack
        self._calls = folder / "calls"
        hooks = folder / "scripts" / "hooks"
        hooks.mkdir(parents=True)
        for each in (PROJECT / "scripts" / "hooks").glob("*.sh"):
            shutil.copy(each, hooks)
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        az = bin_folder / "az"
        az.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROJECT}/tests/e2e/az.py" "$@"\n')
        az.chmod(0o700)
        self.environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "AZ_CALLS": str(self._calls),
            "AZ_CA": str(stack.certificates.ca),
            "AZ_FUNCTION_KEY": stack.deployment.function_key,
            "AZURE_ENV_NAME": "try",
            "AZURE_LOCATION": "westeurope",
            "AZURE_SUBSCRIPTION_ID": "subscription",
            "AZURE_RESOURCE_GROUP": "rg-try",
            "AZURE_TENANT_ID": seed.CONTOSO,
            "POSTERN_URL": stack.deployment.base_url,
            "POSTERN_FUNCTION_APP": "func-postern-try",
            "POSTERN_MAIL_NAME": 'Contoso "mail" \\ sales',
            "POSTERN_MAIL_PROTOCOLS": "smtp,graph",
        }

    @property
    def key_file(self) -> Path:
        return self.folder / ".azure" / "try" / "admin.key"

    def run(self, hook: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("sh", f"scripts/hooks/{hook}.sh"),
            cwd=self.folder,
            env=self.environment | environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def admin(self) -> Api:
        """Return the door that the hook's key opens."""
        api = Api(self.stack.deployment.base_url, self.stack.certificates.ca)
        return api.with_key(self.key_file.read_text())

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose first key nobody has minted yet."""
    with Stack(tmp_path_factory.mktemp("hooks")) as running:
        yield running


@pytest.fixture
def deployment(own_stack: Stack, tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, own_stack)


def trusting_app(stack: Stack) -> str:
    """Register an app that trusts the identity, as modules/entra-app.bicep does."""
    api = Api(stack.deployment.base_url, stack.certificates.ca)
    world = World(stack=stack, api=api, admin=api, sender=api, config="")
    client_id = world.new_app("Mail connection")
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": world.new_secret(client_id),
        "scope": "https://graph.microsoft.com/.default",
    }
    entra = Api(stack.deployment.entra_url, stack.certificates.ca)
    answer = entra.call(
        "POST",
        f"/{seed.CONTOSO}/oauth2/v2.0/token",
        raw=urllib.parse.urlencode(form).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    trust = {
        "name": "postern",
        "issuer": f"{stack.deployment.entra_url}/{seed.CONTOSO}/v2.0",
        "subject": seed.IDENTITY_PRINCIPAL_ID,
        "audiences": ["api://AzureADTokenExchange"],
    }
    path = f"/graph/v1.0/applications(appId='{client_id}')/federatedIdentityCredentials"
    added = entra.with_key(answer.body["access_token"]).post(path, trust)
    assert added.status == 201, added.text
    return client_id


def test_from_nothing_to_a_connect_link(deployment):
    client_id = trusting_app(deployment.stack)

    ended = deployment.run("postdeploy", CI="true")
    assert (ended.returncode, deployment.key_file.exists()) == (0, False), "a pipeline has no key"

    ended = deployment.run("postdeploy", POSTERN_MAIL_CLIENT_ID=client_id)
    assert ended.returncode == 0, ended.stderr
    admin = deployment.admin()
    (config,) = admin.get("/api/configs").body["configs"]
    assert (config["state"], config["credential"]) == ("active", "managed-identity")
    assert (config["client_id"], config["protocols"]) == (client_id, ["smtp", "graph"])
    assert config["name"] == deployment.environment["POSTERN_MAIL_NAME"]
    (link,) = admin.get(f"/api/configs/{config['id']}/links").body["links"]
    assert f"/api/connect/{config['id']}." in ended.stdout
    assert link["uses"] == 1

    key = deployment.key_file.read_text()
    assert stat.S_IMODE(deployment.key_file.stat().st_mode) == 0o600
    assert (deployment.folder / ".azure" / ".gitignore").read_text() == "*\n"
    assert key not in ended.stdout + ended.stderr
    on_command_lines = json.dumps(deployment.calls())
    assert key not in on_command_lines
    assert deployment.environment["AZ_FUNCTION_KEY"] not in on_command_lines

    again = deployment.run("postdeploy", POSTERN_MAIL_CLIENT_ID=client_id)
    assert again.returncode == 0, again.stderr
    assert len(admin.get("/api/configs").body["configs"]) == 1
    assert deployment.key_file.read_text() == key

    # Where no app was made, somebody else gets a script that makes one.
    without = deployment.run("postdeploy")
    script = deployment.folder / ".azure" / "try" / "setup.sh"
    assert without.returncode == 0, without.stderr
    assert str(script.relative_to(deployment.folder)) in without.stdout
    assert "az ad app" in script.read_text()
    assert key not in script.read_text()

    # On another machine the key is not there, and a new one would end the old one.
    deployment.key_file.unlink()
    lost = deployment.run("postdeploy", POSTERN_MAIL_CLIENT_ID=client_id)
    assert lost.returncode == 0
    assert "minted before" in lost.stdout
    assert not deployment.key_file.exists()


def test_deleted_vaults_are_recovered_where_they_were(deployment):
    vault = "/subscriptions/s/resourceGroups/rg-old/providers/Microsoft.KeyVault/vaults"
    deleted = f"kv-keys-x\t{vault}/kv-keys-x\nkv-in-x\t{vault}/kv-in-x\n"
    ended = deployment.run("preprovision", AZ_DELETED=deleted)
    assert ended.returncode == 0, ended.stderr
    (listed,) = [each for each in deployment.calls() if "list-deleted" in each]
    assert "'try'" in listed[listed.index("--query") + 1]
    recovered = [
        (each[each.index("--name") + 1], each[each.index("--resource-group") + 1])
        for each in deployment.calls()
        if "recover" in each
    ]
    assert recovered == [("kv-keys-x", "rg-old"), ("kv-in-x", "rg-old")]
    assert any(each[:2] == ["group", "create"] and "rg-old" in each for each in deployment.calls())


def test_without_deleted_vaults_nothing_is_done(deployment):
    assert deployment.run("preprovision").returncode == 0
    assert [each[:2] for each in deployment.calls()] == [["keyvault", "list-deleted"]]


def test_a_vault_that_cannot_be_recovered_stops_the_deployment(deployment):
    deleted = "kv-keys-x\t/subscriptions/s/resourceGroups/rg/providers/x\n"
    assert deployment.run("preprovision", AZ_DELETED=deleted, AZ_RECOVER="3").returncode != 0


def test_what_is_there_is_said_without_any_key(deployment):
    ended = deployment.run(
        "postprovision",
        POSTERN_KEYS_VAULT="kv-keys-x",
        POSTERN_INTAKE_VAULT="kv-in-x",
        POSTERN_LOG_WORKSPACE="log-x",
    )
    assert ended.returncode == 0, ended.stderr
    assert f"{deployment.environment['POSTERN_URL']}/api/callback" in ended.stdout
