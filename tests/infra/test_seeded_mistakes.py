"""Each mistake that somebody could make in infra/ is found: by a check here or by bicep_check."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.checks import (
    Check,
    Infra,
    access,
    entra,
    exposure,
    findings,
    hardening,
    running,
    settings,
    watching,
)
from tests.infra.reading import PROJECT
from tests.infra.test_infra import CHECKS, FOLDER

pytestmark = pytest.mark.fault

BICEP_CHECK = PROJECT.parent / "shared" / "bicep_check" / "bicep_check.py"


@dataclass(frozen=True)
class Mistake:
    """A text to replace wherever it stands in a file, and who must find it: a check or a code."""

    name: str
    file: str
    right: str
    wrong: str
    found_by: Check | str


APP, STORE, VAULTS = "function-app.bicep", "storage.bicep", "vaults.bicep"
ACCESS, NAMES, ENTRA = "access.bicep", "names.bicep", "entra-app.bicep"
_PRIVATE = "publicNetworkAccess: private ? 'Disabled' : 'Enabled'"
_KEYS_LOGS = "  scope: store\n  properties: {\n    workspaceId: workspaceId\n"
_SUBJECT = "exchangeAudience: cloud.exchange\n    identityPrincipalId: identity.outputs.principalId"
_TABLE_ROLE = "'0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'"
_RECEIPTS = "  { name: 'receipts', operations: ['sign', 'verify'] }\n"

MISTAKES = [
    # settings
    Mistake(
        "a setting is missing", APP, "      POSTERN_TABLES_URL: tableUrl\n", "", settings.is_set
    ),
    Mistake(
        "a setting has a typo",
        APP,
        "POSTERN_SWEEP_SCHEDULE:",
        "POSTERN_SWEEPSCHEDULE:",
        settings.is_set,
    ),
    Mistake(
        "a setting nobody reads",
        APP,
        "      POSTERN_TABLES_URL: tableUrl\n",
        "      POSTERN_TABLES_URL: tableUrl\n      POSTERN_DEBUG: 'true'\n",
        settings.is_read,
    ),
    Mistake(
        "a setting that Flex Consumption forbids",
        APP,
        "      POSTERN_TABLES_URL: tableUrl\n",
        "      POSTERN_TABLES_URL: tableUrl\n      FUNCTIONS_WORKER_RUNTIME: 'python'\n",
        "flex-setting",
    ),
    Mistake(
        "the host's queue endpoint is the blob's",
        APP,
        "AzureWebJobsStorage__queueServiceUri: queueUrl",
        "AzureWebJobsStorage__queueServiceUri: blobUrl",
        settings.connection_is_the_one_that_the_triggers_name,
    ),
    Mistake(
        "client id in place of the principal's",
        APP,
        "POSTERN_IDENTITY_PRINCIPAL_ID: identityPrincipalId",
        "POSTERN_IDENTITY_PRINCIPAL_ID: identityClientId",
        settings.connection_is_the_one_that_the_triggers_name,
    ),
    Mistake(
        "the vaults are exchanged",
        "main.bicep",
        "intakeVaultUrl: vaults.outputs.intakeUrl\n    keysVaultUrl: vaults.outputs.keysUrl",
        "intakeVaultUrl: vaults.outputs.keysUrl\n    keysVaultUrl: vaults.outputs.intakeUrl",
        hardening.intake_vault_can_be_purged,
    ),
    Mistake(
        "both settings name one vault",
        "main.bicep",
        "keysVaultUrl: vaults.outputs.keysUrl",
        "keysVaultUrl: vaults.outputs.intakeUrl",
        settings.vaults_are_not_exchanged,
    ),
    Mistake(
        "a margin of one interval",
        "main.bicep",
        "param marginSeconds int = 600",
        "param marginSeconds int = 300",
        settings.the_app_accepts_them,
    ),
    Mistake(
        "a number that the app refuses",
        "main.bicep",
        "param keepAliveSeconds int = 86400",
        "param keepAliveSeconds int = 2600000",
        settings.the_app_accepts_them,
    ),
    Mistake(
        "a schedule of five fields",
        "main.bicep",
        "param sweepSchedule string = '0 */5 * * * *'",
        "param sweepSchedule string = '*/5 * * * *'",
        settings.the_app_accepts_them,
    ),
    Mistake(
        "the public cloud is wired in",
        "main.bicep",
        "graph: 'https://graph.microsoft.us'",
        "graph: 'https://graph.windows.net'",
        settings.every_cloud_is_known,
    ),
    # rights
    Mistake(
        "a role is dropped",
        ACCESS,
        "    parts: tables\n",
        "    parts: []\n",
        access.every_call_is_allowed,
    ),
    Mistake(
        "a role on one table less",
        ACCESS,
        "    parts: tables\n",
        "    parts: skip(tables, 1)\n",
        access.every_call_is_allowed,
    ),
    Mistake(
        "a role on the whole account",
        ACCESS,
        "    kind: 'table'\n    resource: storageName\n    parts: tables\n",
        "    kind: 'storage'\n    resource: storageName\n    parts: ['']\n",
        access.nothing_else_is_allowed,
    ),
    Mistake(
        "a data action is missing",
        ACCESS,
        "          'Microsoft.KeyVault/vaults/secrets/purge/action'\n",
        "",
        access.every_call_is_allowed,
    ),
    Mistake(
        "a data action too many",
        ACCESS,
        "          'Microsoft.KeyVault/vaults/keys/sign/action'\n",
        "          'Microsoft.KeyVault/vaults/keys/sign/action'\n"
        "          'Microsoft.KeyVault/vaults/keys/create/action'\n",
        access.nothing_else_is_allowed,
    ),
    Mistake("an unknown role", ACCESS, _TABLE_ROLE, _TABLE_ROLE.replace("0a9", "0a8"), "role-guid"),
    Mistake(
        "another role's id",
        ACCESS,
        _TABLE_ROLE,
        "'974c5e8b-45b9-4653-ba55-5f855dd0fb88'",
        access.every_call_is_allowed,
    ),
    Mistake(
        "the queue's role goes missing",
        ACCESS,
        "    parts: queues\n",
        "    parts: take(queues, 1)\n",
        access.the_host_may_work,
    ),
    Mistake(
        "a right for somebody else",
        ACCESS,
        "    principalId: principalId\n",
        "    principalId: deployer().objectId\n",
        access.only_the_identity_is_given_anything,
    ),
    Mistake(
        "a role's name that clashes",
        ACCESS,
        "roleName: '${keysRoleName} ${suffix}'",
        "roleName: keysRoleName",
        access.custom_roles_are_of_this_deployment,
    ),
    # what is closed
    Mistake("a typo in a property", APP, "httpsOnly: true", "httpOnly: true", "BCP037"),
    Mistake("plain HTTP", APP, "httpsOnly: true", "httpsOnly: false", hardening.the_app_is_closed),
    Mistake(
        "TLS 1.0",
        APP,
        "      minTlsVersion: '1.2'",
        "      minTlsVersion: '1.0'",
        hardening.the_app_is_closed,
    ),
    Mistake(
        "old TLS at the account",
        STORE,
        "minimumTlsVersion: 'TLS1_2'",
        "minimumTlsVersion: 'TLS1_0'",
        hardening.storage_is_closed,
    ),
    Mistake(
        "FTPS is on",
        APP,
        "ftpsState: 'Disabled'",
        "ftpsState: 'FtpsOnly'",
        hardening.the_app_is_closed,
    ),
    Mistake(
        "a publishing password",
        APP,
        "    properties: {\n      allow: false",
        "    properties: {\n      allow: true",
        hardening.the_app_is_closed,
    ),
    Mistake(
        "admin routes are open",
        APP,
        "functionsRuntimeAdminIsolationEnabled: true",
        "functionsRuntimeAdminIsolationEnabled: false",
        hardening.the_app_is_closed,
    ),
    Mistake(
        "nobody reaches the callback",
        APP,
        "publicNetworkAccess: 'Enabled'",
        "publicNetworkAccess: 'Disabled'",
        hardening.owners_reach_their_pages,
    ),
    Mistake(
        "a sign-in before the sign-in",
        APP,
        "  resource noFtp ",
        "  resource signIn 'config' = {\n    name: 'authsettingsV2'\n    properties: {\n"
        "      globalValidation: {\n        requireAuthentication: true\n"
        "        excludedPaths: ['/api/health']\n      }\n    }\n  }\n\n  resource noFtp ",
        hardening.owners_reach_their_pages,
    ),
    Mistake(
        "shared keys are on",
        STORE,
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        hardening.storage_is_closed,
    ),
    Mistake(
        "blobs are public",
        STORE,
        "allowBlobPublicAccess: false",
        "allowBlobPublicAccess: true",
        hardening.storage_is_closed,
    ),
    Mistake(
        "a public container",
        STORE,
        "publicAccess: 'None'",
        "publicAccess: 'Blob'",
        hardening.storage_is_closed,
    ),
    Mistake(
        "public access in a private network",
        VAULTS,
        _PRIVATE,
        "publicNetworkAccess: 'Enabled'",
        exposure.a_private_network_is_private,
    ),
    Mistake(
        "a private endpoint is missing",
        "private-endpoints.bicep",
        "  { name: 'table', part: 'table', target: storageId, zone: 2 }\n",
        "",
        exposure.a_private_network_is_private,
    ),
    Mistake(
        "purge protection on the intake vault",
        VAULTS,
        "    softDeleteRetentionInDays: 7\n",
        "    softDeleteRetentionInDays: 7\n    enablePurgeProtection: true\n",
        hardening.intake_vault_can_be_purged,
    ),
    Mistake(
        "a pasted secret stays for months",
        VAULTS,
        "    softDeleteRetentionInDays: 7\n",
        "    softDeleteRetentionInDays: 90\n",
        hardening.intake_vault_can_be_purged,
    ),
    Mistake(
        "no purge protection on the keys",
        VAULTS,
        "    enablePurgeProtection: true\n",
        "",
        hardening.keys_vault_cannot_be_purged,
    ),
    Mistake(
        "access policies",
        VAULTS,
        "enableRbacAuthorization: true",
        "enableRbacAuthorization: false",
        hardening.vaults_obey_roles_only,
    ),
    Mistake(
        "a diagnostic setting is missing",
        VAULTS,
        _KEYS_LOGS,
        _KEYS_LOGS.replace("store", "intake"),
        exposure.what_happens_is_logged,
    ),
    Mistake(
        "an audit log that is off",
        VAULTS,
        "        enabled: true\n      }\n    ]\n",
        "        enabled: false\n      }\n    ]\n",
        exposure.what_happens_is_logged,
    ),
    Mistake(
        "telemetry with a key",
        "monitoring.bicep",
        "DisableLocalAuth: true",
        "DisableLocalAuth: false",
        exposure.telemetry_takes_no_key,
    ),
    Mistake(
        "codes in the telemetry",
        APP,
        "enableQueryStringTracing: 'false'",
        "enableQueryStringTracing: 'true'",
        exposure.telemetry_takes_no_key,
    ),
    Mistake(
        "a secret in an output",
        STORE,
        "@description('Name.')\n",
        "@description('A key.')\noutput account string = account.listKeys().keys[0].value\n\n"
        "@description('Name.')\n",
        exposure.nothing_secret_is_written_down,
    ),
    Mistake(
        "a secret as a parameter",
        "monitoring.bicep",
        "@description('Required. Tags.')\n",
        "@secure()\n@description('A password.')\nparam password string = ''\n\n"
        "@description('Required. Tags.')\n",
        exposure.nothing_secret_is_written_down,
    ),
    Mistake(
        "a second identity",
        APP,
        "type: 'UserAssigned'\n    userAssigned",
        "type: 'SystemAssigned, UserAssigned'\n    userAssigned",
        running.the_app_runs_as_its_one_identity,
    ),
    Mistake(
        "a package with nowhere to go",
        APP,
        "${blobUrl}${packageContainer}",
        "${blobUrl}package",
        running.the_package_has_a_container,
    ),
    Mistake(
        "a Python that CI does not test",
        "main.bicep",
        "param pythonVersion string = '3.13'",
        "param pythonVersion string = '3.10'",
        running.the_runtime_is_one_that_ci_tests,
    ),
    Mistake(
        "one HTTP call at a time",
        APP,
        "perInstanceConcurrency: httpConcurrency",
        "",
        running.the_runtime_is_one_that_ci_tests,
    ),
    # names
    Mistake(
        "a table is missing",
        NAMES,
        "  'pending'\n",
        "",
        running.tables_queues_and_keys_are_those_of_the_code,
    ),
    Mistake(
        "a table nobody uses",
        NAMES,
        "  'pending'\n",
        "  'pending'\n  'sessions'\n",
        running.tables_queues_and_keys_are_those_of_the_code,
    ),
    Mistake(
        "a typo in the queue's name",
        NAMES,
        "'refresh-due'\n",
        "'refresh-dew'\n",
        running.tables_queues_and_keys_are_those_of_the_code,
    ),
    Mistake("a key is missing", VAULTS, _RECEIPTS, "", running.keys_are_those_of_the_code),
    Mistake(
        "a key that may do more",
        VAULTS,
        "['wrapKey', 'unwrapKey']",
        "['wrapKey', 'unwrapKey', 'decrypt']",
        running.keys_are_those_of_the_code,
    ),
    Mistake(
        "a key that can be exported",
        VAULTS,
        "exportable: false",
        "exportable: true",
        running.keys_are_those_of_the_code,
    ),
    # Entra
    Mistake(
        "the subject is the client id",
        "main.bicep",
        _SUBJECT,
        _SUBJECT.replace("principalId", "clientId"),
        entra.the_trust_is_for_the_identity,
    ),
    Mistake(
        "the issuer of version 1",
        ENTRA,
        "${tenant().tenantId}/v2.0'",
        "${tenant().tenantId}/'",
        entra.the_trust_is_for_the_identity,
    ),
    Mistake(
        "another audience",
        "main.bicep",
        "'api://AzureADTokenExchange'",
        "'api://AzureADTokenExchang'",
        entra.the_trust_is_for_the_identity,
    ),
    Mistake(
        "the audience of another cloud",
        "main.bicep",
        "'api://AzureADTokenExchangeChina'",
        "'api://AzureADTokenExchange'",
        entra.the_trust_is_for_each_cloud,
    ),
    Mistake(
        "another redirect URI",
        "main.bicep",
        "/api/callback'",
        "/callback'",
        entra.the_redirect_uri_is_the_callback,
    ),
    Mistake(
        "the platform's address beside a custom domain",
        APP,
        "output url string = 'https://${empty(customDomain) ? app.properties.defaultHostName :"
        " customDomain}'",
        "output url string = 'https://${app.properties.defaultHostName}'",
        entra.the_redirect_uri_is_the_callback,
    ),
    Mistake(
        "a permission by another's id",
        ENTRA,
        "'258f6531-6087-4cc4-bb90-092c5fb3ed3f'",
        "'e383f46e-2787-4529-855e-0e479a3ffac0'",
        entra.the_permissions_are_those_that_the_app_asks_for,
    ),
    Mistake(
        "an application permission",
        ENTRA,
        "type: 'Scope'",
        "type: 'Role'",
        entra.the_permissions_are_those_that_the_app_asks_for,
    ),
    Mistake(
        "an address of one's own",
        APP,
        "'https://${empty(customDomain) ? app.properties",
        "'http://${empty(customDomain) ? app.properties",
        settings.base_url_is_where_the_app_answers,
    ),
    Mistake(
        "a certificate beside the trust",
        ENTRA,
        "  signInAudience: audience\n",
        "  signInAudience: audience\n  keyCredentials: [{ type: 'AsymmetricX509Cert' }]\n",
        entra.no_client_secret_is_made,
    ),
    Mistake(
        "Entra also without the right",
        "main.bicep",
        "= if (entraApp) {",
        "= if (!apiApp) {",
        entra.without_the_right_nothing_of_entra_is_made,
    ),
    # watching
    Mistake(
        "an alert on words that nobody logs",
        "../alerts/breaker-open.kql",
        "startswith 'breaker opened'",
        "startswith 'breaker is open'",
        watching.what_they_look_for_is_logged,
    ),
    Mistake(
        "a workbook that looks for what nobody counts",
        "workbook.json",
        "tokens handed out",
        "tokens given away",
        watching.what_they_look_for_is_logged,
    ),
    Mistake(
        "an alert on another function",
        "../alerts/functions-failing.kql",
        "'sweep_timer'",
        "'sweeper'",
        watching.functions_and_queues_are_those_of_the_code,
    ),
    Mistake(
        "an alarm is missing",
        "alerts.bicep",
        "values: ['429']",
        "values: ['503']",
        watching.all_that_matters_is_watched,
    ),
    Mistake(
        "rules that are off",
        "alerts.bicep",
        "    enabled: true\n    scopes: [workspaceId]",
        "    enabled: false\n    scopes: [workspaceId]",
        watching.alerts_reach_somebody,
    ),
    # the language
    Mistake(
        "an unused parameter",
        STORE,
        "param logRows bool\n",
        "param logRows bool\nparam unused string = ''\n",
        "no-unused-params",
    ),
    Mistake(
        "an unknown API version",
        STORE,
        "storageAccounts@2025-06-01",
        "storageAccounts@2025-06-31",
        "BCP081",
    ),
    Mistake(
        "a required property is missing", VAULTS, "    tenantId: tenant().tenantId\n", "", "BCP035"
    ),
    Mistake(
        "a brace is missing",
        STORE,
        "  sku: {\n    name: redundancy\n  }\n",
        "  sku: {\n    name: redundancy\n",
        "BCP",
    ),
]


def at(folder: Path, mistake: Mistake) -> Path:
    """Return the file of a mistake: a module, unless it lies at the top."""
    top = folder / mistake.file
    return top if top.is_file() else folder / "modules" / mistake.file


@pytest.fixture
def broken(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of infra/ with one mistake."""
    mistake: Mistake = request.param
    folder = tmp_path / "infra"
    shutil.copytree(FOLDER, folder)
    file = at(folder, mistake)
    text = file.read_text()
    assert mistake.right in text, f"{mistake.file} has changed: plant the mistake anew"
    file.write_text(text.replace(mistake.right, mistake.wrong))
    return folder


def bicep_check(folder: Path) -> str:
    if not BICEP_CHECK.is_file():
        pytest.skip("bicep_check is not beside this checkout, and only it finds this")
    ran = subprocess.run(
        (sys.executable, BICEP_CHECK, folder), capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("broken", "mistake"),
    [(each, each) for each in MISTAKES],
    indirect=["broken"],
    ids=[each.name.replace(" ", "-") for each in MISTAKES],
)
def test_a_mistake_is_found(broken, mistake):
    if isinstance(mistake.found_by, str):
        assert mistake.found_by in bicep_check(broken)
    else:
        before = findings(Infra(FOLDER), [mistake.found_by])
        found = set(findings(Infra(broken), [mistake.found_by])) - set(before)
        assert found
        # Found for what it is, not because nothing can be read any more.
        assert [each for each in found if "cannot be read" in each] == []


def test_every_check_finds_one_of_them():
    """A check that nothing shown here can fail may be one that cannot fail."""
    proven = {each.found_by for each in MISTAKES}
    assert {each.__name__ for each in {*CHECKS} - proven} == set()


def test_a_folder_without_mistakes_is_clean(tmp_path):
    """Otherwise the mistakes above would be found whatever was planted."""
    shutil.copytree(FOLDER, tmp_path / "infra")
    assert findings(Infra(tmp_path / "infra"), CHECKS) == findings(Infra(FOLDER), CHECKS)


def test_there_are_more_than_fifteen():
    assert len({each.name for each in MISTAKES}) == len(MISTAKES) > 15
