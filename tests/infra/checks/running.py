"""What the code names is there: identity, package, runtime, tables, queues and keys."""

import re
from collections.abc import Iterator

from scripts.bicep import shown
from tests.infra.checks import (
    IDENTITY,
    SITE,
    STORAGE,
    VAULT,
    Infra,
    differs,
    only,
    vault_of,
)
from tests.infra.reading import PROJECT, constants, python_versions, tables


def the_app_runs_as_its_one_identity(infra: Infra) -> Iterator[str]:
    """One user-assigned identity, which nothing else has."""
    identity = only(infra.plain, IDENTITY)
    holders = [each for each in infra.plain.resources if each.body.get("identity")]
    site = only(infra.plain, SITE)
    if [each.type for each in holders] != [SITE]:
        yield f"an identity is given to {[each.type for each in holders]}"
    given = site.get("identity", "userAssignedIdentities") or {}
    wanted = f"<{IDENTITY} {identity.name}.id>"
    if site.get("identity", "type") != "UserAssigned" or set(given) != {wanted}:
        yield f"the app runs as {site.get('identity', 'type')} {sorted(given)}"
    storage = site.get("properties", "functionAppConfig", "deployment", "storage") or {}
    authentication = storage.get("authentication", {})
    if authentication.get("type") != "UserAssignedIdentity":
        yield f"the package is read by {authentication.get('type')}"
    if shown(authentication.get("userAssignedIdentityResourceId")) != wanted:
        yield "the package is read as another identity"


def the_package_has_a_container(infra: Infra) -> Iterator[str]:
    """The package is deployed to a container that is made here."""
    site = only(infra.plain, SITE)
    value = shown(site.get("properties", "functionAppConfig", "deployment", "storage", "value"))
    account = only(infra.plain, STORAGE)
    names = {
        each.name.rpartition("/")[2]
        for each in infra.plain.of(f"{STORAGE}/blobServices/containers")
    }
    if value not in {
        f"<{STORAGE} {account.name}.properties.primaryEndpoints.blob>{name}" for name in names
    }:
        yield f"the package goes to {value}"


def the_runtime_is_one_that_ci_tests(infra: Infra) -> Iterator[str]:
    """Python, of a version that CI runs, on Flex Consumption with concurrency said."""
    site = only(infra.plain, SITE)
    runtime = site.get("properties", "functionAppConfig", "runtime") or {}
    if runtime.get("name") != "python" or runtime.get("version") not in python_versions():
        yield f"the runtime is {runtime}"
    for path, text in infra.texts():
        for allowed in re.findall(r"@allowed\(\[([^\]]*)\]\)\s*param pythonVersion", text):
            versions = set(re.findall(r"'([^']*)'", allowed))
            if versions != python_versions():
                yield f"{path} allows {sorted(versions)}"
    scale = site.get("properties", "functionAppConfig", "scaleAndConcurrency") or {}
    if not (scale.get("triggers") or {}).get("http", {}).get("perInstanceConcurrency"):
        yield "how many HTTP calls an instance takes at once is not said"
    plan = only(infra.plain, "Microsoft.Web/serverfarms")
    if plan.get("sku", "name") != "FC1" or plan.properties.get("reserved") is not True:
        yield f"the plan is {plan.get('sku')}"


def tables_queues_and_keys_are_those_of_the_code(infra: Infra) -> Iterator[str]:
    """What the code names is made, and nothing else is."""
    made = {
        kind: {each.name.rpartition("/")[2] for each in infra.plain.of(f"{STORAGE}/{path}")}
        for kind, path in (
            ("table", "tableServices/tables"),
            ("queue", "queueServices/queues"),
        )
    }
    queues = constants("QUEUE", "functions")
    wanted = {
        "table": tables() | _reserved_tables(),
        "queue": queues | {f"{each}-poison" for each in queues},
    }
    for kind, names in wanted.items():
        yield from (f"{kind} {each} is not made" for each in sorted(names - made[kind]))
        yield from (f"{kind} {each} is nobody's" for each in sorted(made[kind] - names))


def keys_are_those_of_the_code(infra: Infra) -> Iterator[str]:
    """Each key is in the keys vault, RSA, never exportable, and may do what the code does."""
    operations = {
        "WRAPPING_KEY": {"wrapKey", "unwrapKey"},
        "RECEIPT_KEY": {"sign"},
        "ASSERTION_KEY": {"sign"},
    }
    vault = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    made = {each.name.rpartition("/")[2]: each for each in infra.plain.of(f"{VAULT}/keys")}
    named = set()
    for constant, used in operations.items():
        (name,) = constants(constant, "postern/services")
        named.add(name)
        key = made.get(name)
        if key is None:
            yield f"key {name} is not made"
            continue
        if not vault or not key.name.startswith(f"{vault.name}/"):
            yield f"key {name} is in another vault"
        yield from differs(key, {"kty": "RSA"})
        allowed = set(key.properties.get("keyOps") or ())
        if not used <= allowed or allowed - used - {"verify"}:
            yield f"key {name} may {sorted(allowed)}"
        if (key.get("properties", "attributes") or {}).get("exportable"):
            yield f"key {name} can be exported"
        if int(key.properties.get("keySize", 0)) < 2048:
            yield f"key {name} is too short"
        if not key.properties.get("rotationPolicy"):
            yield f"key {name} never rotates"
    yield from (f"key {each} is nobody's" for each in sorted(set(made) - named))


def _reserved_tables() -> set[str]:
    """Return the tables that docs/data-model.md keeps for later."""
    text = (PROJECT / "docs" / "data-model.md").read_text()
    found = re.search(r"The tables ((?:`\w+`(?:, | and )?)+) are made .*?not used yet", text, re.S)
    return set(re.findall(r"`(\w+)`", found[1])) if found else set()


CHECKS = [
    the_app_runs_as_its_one_identity,
    the_package_has_a_container,
    the_runtime_is_one_that_ci_tests,
    tables_queues_and_keys_are_those_of_the_code,
    keys_are_those_of_the_code,
]
