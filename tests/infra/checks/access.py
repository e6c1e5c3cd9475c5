"""Every call that the adapters make is allowed, and nothing is allowed that nobody does."""

from collections.abc import Iterator

from scripts.access_table import grants
from scripts.bicep import Ref
from tests.infra.checks import IDENTITY, STORAGE, VAULT, Infra, only, vault_of
from tests.infra.reading import tables

_TABLE = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"
_SECRET = "Microsoft.KeyVault/vaults/secrets"
_KEY = "Microsoft.KeyVault/vaults/keys"

# What each call on an SDK's client needs; a test holds the left side to the adapters' source.
# A list of secrets or of deleted ones is metadata. Which of the two the service asks for when a
# deleted secret is read is not verified, so both are needed.
CALLS: dict[tuple[str, str], set[str]] = {
    ("TableRecords", "get_entity"): {f"{_TABLE}/read"},
    ("TableRecords", "query_entities"): {f"{_TABLE}/read"},
    ("TableRecords", "create_entity"): {f"{_TABLE}/add/action"},
    ("TableRecords", "update_entity"): {f"{_TABLE}/update/action"},
    ("TableRecords", "upsert_entity"): {f"{_TABLE}/add/action", f"{_TABLE}/update/action"},
    ("TableRecords", "delete_entity"): {f"{_TABLE}/delete"},
    ("TableRecords", "submit_transaction"): {
        f"{_TABLE}/add/action",
        f"{_TABLE}/update/action",
        f"{_TABLE}/delete",
    },
    ("IntakeKeyVault", "set_secret"): {f"{_SECRET}/setSecret/action"},
    ("IntakeKeyVault", "get_secret"): {f"{_SECRET}/getSecret/action"},
    ("IntakeKeyVault", "get_deleted_secret"): {
        f"{_SECRET}/getSecret/action",
        f"{_SECRET}/readMetadata/action",
    },
    ("IntakeKeyVault", "list_properties_of_secrets"): {f"{_SECRET}/readMetadata/action"},
    ("IntakeKeyVault", "list_deleted_secrets"): {f"{_SECRET}/readMetadata/action"},
    ("IntakeKeyVault", "delete_secret"): {f"{_SECRET}/delete"},
    ("IntakeKeyVault", "purge_deleted_secret"): {f"{_SECRET}/purge/action"},
    ("KeysKeyVault", "get_key"): {f"{_KEY}/read"},
    ("KeysKeyVault", "list_properties_of_key_versions"): {f"{_KEY}/read"},
    ("KeysKeyVault", "sign"): {f"{_KEY}/sign/action"},
    ("KeysKeyVault", "wrap_key"): {f"{_KEY}/wrap/action"},
    ("KeysKeyVault", "unwrap_key"): {f"{_KEY}/unwrap/action"},
    # A token for the identity itself; no resource is touched.
    ("EntraManagedIdentity", "get_token"): set(),
}

# What the Functions host does as the same identity: the role, and on what.
HOST = {
    "Storage Blob Data Owner": STORAGE,
    "Storage Queue Data Contributor": f"{STORAGE}/queueServices/queues",
    "Monitoring Metrics Publisher": "Microsoft.Insights/components",
}
# A built-in role cannot be cut; `write` is add and update in one.
_SURPLUS = {f"{_TABLE}/write"}


def needed(adapter: str) -> set[str]:
    """Return the data actions that an adapter's calls need."""
    return set().union(*(actions for (kind, _), actions in CALLS.items() if kind == adapter))


def every_call_is_allowed(infra: Infra) -> Iterator[str]:
    """Each adapter's calls are allowed on all that it speaks to."""
    given = list(grants(infra.plain))
    for adapter, things in _places(infra).items():
        for thing in things:
            allowed = {
                action
                for grant in given
                if thing == grant.on or thing.name.startswith(f"{grant.on.name}/")
                for action in grant.role.data
            }
            if missing := needed(adapter) - allowed:
                yield f"{adapter} may not {sorted(missing)} on {thing.name}"


def nothing_else_is_allowed(infra: Infra) -> Iterator[str]:
    """No role is there that nobody needs, and no role allows more than is needed."""
    places = {thing: adapter for adapter, things in _places(infra).items() for thing in things}
    for grant in grants(infra.plain):
        if adapter := places.get(grant.on):
            if more := set(grant.role.data) - needed(adapter) - _SURPLUS:
                yield f"{grant.role.name} allows {sorted(more)}, which {adapter} never does"
            if grant.on.type == VAULT and grant.role.management:
                yield f"{grant.role.name} allows to manage {grant.on.name}"
        elif HOST.get(grant.role.name) != grant.on.type:
            yield f"nobody needs {grant.role.name} on {grant.on.name}"


def the_host_may_work(infra: Infra) -> Iterator[str]:
    """The host has its roles: on the account, on each queue, on the telemetry."""
    given = list(grants(infra.plain))
    wanted = {
        "Storage Blob Data Owner": {each.name for each in infra.plain.of(STORAGE)},
        "Storage Queue Data Contributor": {
            each.name for each in infra.plain.of(f"{STORAGE}/queueServices/queues")
        },
        "Monitoring Metrics Publisher": {
            each.name for each in infra.plain.of("Microsoft.Insights/components")
        },
    }
    for role, things in wanted.items():
        on = {grant.on.name for grant in given if grant.role.name == role}
        for thing in things - on:
            yield f"{role} is missing on {thing}"


def only_the_identity_is_given_anything(infra: Infra) -> Iterator[str]:
    """Whoever else had a role could read the tables or use the keys."""
    identity = only(infra.plain, IDENTITY)
    principal = Ref(IDENTITY, identity.name, ("properties", "principalId"))
    for grant in grants(infra.plain):
        if grant.principal != principal:
            yield f"{grant.role.name} goes to {grant.principal}"
    for each in infra.plain.of("Microsoft.Authorization/roleAssignments"):
        if each.properties.get("principalType") != "ServicePrincipal":
            yield f"{each.where}: principalType is {each.properties.get('principalType')}"


def custom_roles_are_of_this_deployment(infra: Infra) -> Iterator[str]:
    """Role names are unique in a tenant; a second deployment would clash."""
    for each in infra.plain.of("Microsoft.Authorization/roleDefinitions"):
        if "uniqueString(" not in str(each.properties["roleName"]):
            yield f"{each.properties['roleName']} is not unique"
        (scope,) = each.properties["assignableScopes"]
        if str(scope) != "<resourceGroup().id>":
            yield f"{each.properties['roleName']} can be assigned in {scope}"


def _places(infra: Infra) -> dict[str, set[Ref]]:
    """Return what each adapter speaks to."""
    account = only(infra.plain, STORAGE)
    kind = f"{STORAGE}/tableServices/tables"
    intake = vault_of(infra.plain, "POSTERN_INTAKE_VAULT_URL")
    keys = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    used = tables() | {each.name.rpartition("/")[2] for each in infra.plain.of(kind)}
    return {
        "TableRecords": {Ref(kind, f"{account.name}/default/{name}") for name in used},
        "IntakeKeyVault": {Ref(VAULT, intake.name)} if intake else set(),
        "KeysKeyVault": {Ref(VAULT, keys.name)} if keys else set(),
    }


CHECKS = [
    every_call_is_allowed,
    nothing_else_is_allowed,
    the_host_may_work,
    only_the_identity_is_given_anything,
    custom_roles_are_of_this_deployment,
]
