"""One running stack for all tests that ask for it, with a configuration, an admin and a sender."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local import seed
from local.api import Api
from local.owner import Owner
from local.owner_page import Page
from local.stack import Stack

# Long enough that nothing comes due by itself, short enough that a test can wait for it.
SETTINGS = {
    "POSTERN_KEEP_ALIVE_SECONDS": "20",
    "POSTERN_MARGIN_SECONDS": "2",
    "POSTERN_INTAKE_SECONDS": "5",
}


@dataclass(frozen=True)
class World:
    """What a test over HTTP starts from."""

    stack: Stack
    api: Api
    admin: Api
    sender: Api
    config: str

    def link(self, **wanted: object) -> str:
        """Make a connect link; return its address."""
        made = self.admin.post(f"/api/configs/{self.config}/links", wanted)
        assert made.status == 201, made.text
        return str(made.body["url"])

    def mailbox(self, address: str, config: str | None = None) -> str:
        """Return the id of the mailbox with this address."""
        answer = self.admin.get(f"/api/mailboxes?config={config or self.config}")
        return str(next(m["id"] for m in answer.body["mailboxes"] if m["address"] == address))

    def key(self, role: str, **bounds: str) -> Api:
        """Mint a key; return the door it opens."""
        minted = self.admin.post("/api/keys", {"name": "test", "role": role, **bounds})
        assert minted.status == 201, minted.text
        return self.api.with_key(minted.body["key"])

    def new_secret(self, client_id: str = seed.CONTOSO_MAIL, **wanted: object) -> str:
        """Make a client secret in Entra, as an admin would."""
        return str(self.stack.entra.post(f"apps/{client_id}/secrets", **wanted)["value"])

    def new_app(self, name: str, *, may_change_itself: bool = True) -> str:
        """Register an app in the deployment's own tenant; return its client id."""
        made = self.stack.entra.post(
            "apps",
            tenant=seed.CONTOSO,
            display_name=name,
            audience="AzureADMultipleOrgs",
            redirect_uris=[f"{self.stack.deployment.base_url}/api/callback"],
            delegated=list(seed.DELEGATED),
            application_permissions=["Application.ReadWrite.OwnedBy"] if may_change_itself else [],
            owns_itself=may_change_itself,
        )
        return str(made["client_id"])

    def form(self, **changes: object) -> dict[str, object]:
        """Return an activation that is right but for *changes*."""
        form = {
            "name": "Contoso Mail",
            "client_id": seed.CONTOSO_MAIL,
            "tenant_id": seed.CONTOSO,
            "return_urls": ["https://app.contoso.example/done"],
        }
        return {**form, **changes}

    def run_timer(self, name: str) -> None:
        """Run a timer function now and wait for its end."""
        answer = self.api.post(
            f"/admin/functions/{name}",
            {"input": ""},
            x_functions_key=self.stack.deployment.master_key,
            X_Devhost_Wait="1",
        )
        assert answer.status == 200, answer.text

    def owner(self) -> Owner:
        """Return a mailbox owner with a fresh browser."""
        return Owner(self.stack.certificates.ca)

    async def connect(self, address: str, **wanted: object) -> Page:
        """Let the owner of *address* connect through a new link; return the last page."""
        async with self.owner() as owner:
            return await owner.connect(self.link(**wanted), address)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def world(stack: Stack) -> World:
    api = Api(stack.deployment.base_url, stack.certificates.ca)
    minted = api.post("/api/keys/bootstrap", {}, x_functions_key=stack.deployment.function_key)
    admin = api.with_key(minted.body["key"])
    bare = World(stack=stack, api=api, admin=admin, sender=api, config="")
    answer = admin.post("/api/configs", bare.form(client_secret=bare.new_secret()))
    assert answer.status == 201, answer.text
    return World(
        stack=stack, api=api, admin=admin, sender=bare.key("sender"), config=answer.body["id"]
    )


@pytest.fixture
def calm(world: World) -> Iterator[World]:
    """The world; whatever the test does to Entra's weather ends with it."""
    yield world
    world.stack.entra.delete("faults")
    world.stack.intake_vault.delete("faults")
    world.stack.keys_vault.delete("faults")
