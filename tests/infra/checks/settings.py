"""Every setting that is read is set, and every setting that is set is read."""

from collections.abc import Iterator
from datetime import timedelta

from croniter import croniter

from postern.settings import AUTHORITY_HOSTS, GRAPH_HOSTS, read
from scripts.bicep import CLOUDS, Ref, Value, shown
from tests.infra.checks import (
    DOMAIN,
    IDENTITY,
    SITE,
    STORAGE,
    Infra,
    app_settings,
    only,
    vault_of,
)
from tests.infra.reading import constants, documented_settings
from tests.unit.test_documentation import settings_read

# What the platform and its libraries read, and why it is there.
CONNECTION: dict[str, str | tuple[str, ...]] = {
    "AzureWebJobsStorage__credential": "managedidentity",
    "AzureWebJobsStorage__clientId": (IDENTITY, "properties", "clientId"),
    "AzureWebJobsStorage__blobServiceUri": (STORAGE, "properties", "primaryEndpoints", "blob"),
    "AzureWebJobsStorage__queueServiceUri": (STORAGE, "properties", "primaryEndpoints", "queue"),
    "AzureWebJobsStorage__tableServiceUri": (STORAGE, "properties", "primaryEndpoints", "table"),
}
TELEMETRY = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureFunctionsJobHost__logging__applicationInsights__enableQueryStringTracing",
}
# Documented, and given by Azure itself or by the plan.
GIVEN_BY_AZURE = {
    "AzureWebJobsStorage",
    "FUNCTIONS_WORKER_RUNTIME",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
}
REFERENCES = {
    "POSTERN_IDENTITY_CLIENT_ID": (IDENTITY, "properties", "clientId"),
    "POSTERN_IDENTITY_PRINCIPAL_ID": (IDENTITY, "properties", "principalId"),
    "POSTERN_TABLES_URL": (STORAGE, "properties", "primaryEndpoints", "table"),
}


def is_set(infra: Infra) -> Iterator[str]:
    """Every setting that has no default is set."""
    given = app_settings(infra.plain)
    documented = documented_settings()
    for name in settings_read() | set(documented):
        if documented.get(name) == "required" and name not in {*given, *GIVEN_BY_AZURE}:
            yield f"{name} is required and not set"
    for name in (*CONNECTION, *TELEMETRY):
        if name not in given:
            yield f"{name} is not set"


def is_read(infra: Infra) -> Iterator[str]:
    """No setting is there that nobody reads."""
    for name in set(app_settings(infra.plain)) - settings_read() - set(CONNECTION) - TELEMETRY:
        yield f"{name} is set and nobody reads it"


def connection_is_the_one_that_the_triggers_name(infra: Infra) -> Iterator[str]:
    """The identity-based connection is complete, of our account, and called as in the code."""
    given = app_settings(infra.plain)
    named = constants("STORAGE", "functions")
    if {name.partition("__")[0] for name in CONNECTION} != named:
        yield f"the triggers name {named}"
    wanted_of: dict[str, str | tuple[str, ...]] = {**CONNECTION, **REFERENCES}
    for name, wanted in wanted_of.items():
        if not _is(given.get(name), wanted):
            yield f"{name} is {shown(given.get(name))}"
    accounts = {value.name for value in given.values() if _of(value, STORAGE)}
    if accounts != {each.name for each in infra.plain.of(STORAGE)}:
        yield f"settings name {accounts}"


def the_app_accepts_them(infra: Infra) -> Iterator[str]:
    """The app's own reader takes the values that are known before the deployment."""
    given = app_settings(infra.plain)
    stand_in = {"POSTERN_BASE_URL": "https://mail.example"}
    environment = {
        name: stand_in.get(name) or (f"https://{name}.example" if "_URL" in name else name)
        if isinstance(value, Ref) or "<" in shown(value)
        else value
        for name, value in given.items()
    }
    wrong = [name for name, value in environment.items() if not isinstance(value, str)]
    if wrong:
        yield f"a setting is a text, which {wrong} are not"
        return
    try:
        accepted = read(environment)
    except Exception as exc:
        yield f"the app refuses them: {exc}"
        return
    for name in ("POSTERN_REFRESH_SCHEDULE", "POSTERN_SWEEP_SCHEDULE"):
        if len(environment[name].split()) != 6 or not croniter.is_valid(
            environment[name], second_at_beginning=True
        ):
            yield f"{name} is no NCRONTAB"
    times = croniter(environment["POSTERN_REFRESH_SCHEDULE"], second_at_beginning=True)
    interval = timedelta(seconds=-times.get_next(float) + times.get_next(float))
    if accepted.margin < 2 * interval:
        yield f"the margin {accepted.margin} is less than two intervals of {interval}"


def vaults_are_not_exchanged(infra: Infra) -> Iterator[str]:
    """Each vault's setting names that vault: only one of them forbids purging."""
    intake = vault_of(infra.plain, "POSTERN_INTAKE_VAULT_URL")
    keys = vault_of(infra.plain, "POSTERN_KEYS_VAULT_URL")
    if intake is None or keys is None or intake.name == keys.name:
        yield "the two settings do not name two vaults"


def base_url_is_where_the_app_answers(infra: Infra) -> Iterator[str]:
    """The address is the app's host name, or the custom domain when there is one."""
    site = only(infra.plain, SITE)
    host = Ref(SITE, site.name, ("properties", "defaultHostName"))
    if app_settings(infra.plain)["POSTERN_BASE_URL"] != f"https://{host}":
        yield f"POSTERN_BASE_URL is {app_settings(infra.plain)['POSTERN_BASE_URL']}"
    if app_settings(infra.own_domain)["POSTERN_BASE_URL"] != f"https://{DOMAIN}":
        yield "POSTERN_BASE_URL does not follow the custom domain"


def every_cloud_is_known(infra: Infra) -> Iterator[str]:
    """In each cloud the app is given hosts that it takes."""
    for cloud in CLOUDS:
        given = app_settings(infra.deployed(cloud=cloud))
        for name, hosts in (
            ("POSTERN_AUTHORITY_HOST", AUTHORITY_HOSTS),
            ("POSTERN_GRAPH_URL", GRAPH_HOSTS),
        ):
            if shown(given[name]).removeprefix("https://") not in hosts:
                yield f"{cloud}: {name} is {shown(given[name])}"


def _is(value: Value, wanted: str | tuple[str, ...]) -> bool:
    if isinstance(wanted, str):
        return bool(value == wanted)
    return isinstance(value, Ref) and (value.type, *value.path) == wanted


def _of(value: Value, kind: str) -> bool:
    return isinstance(value, Ref) and value.type == kind


CHECKS = [
    is_set,
    is_read,
    connection_is_the_one_that_the_triggers_name,
    the_app_accepts_them,
    vaults_are_not_exchanged,
    base_url_is_where_the_app_answers,
    every_cloud_is_known,
]
