// Everything that Postern runs on: a resource group and, inside it, the modules. Composition only.
targetScope = 'subscription'

@description('Required. Name of the deployment (azd calls it environment). With subscription and region it decides every name.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Required. Region of everything; must offer Flex Consumption.')
@minLength(1)
param location string

@description('Optional. Name of the resource group.')
@minLength(1)
@maxLength(90)
param resourceGroupName string = 'rg-${environmentName}'

@description('Optional. Further tags.')
param tags object = {}

// --- the function app

@description('Optional. Python version; one that CI tests.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.13'

@description('Optional. How many HTTP calls an instance takes at once; function-app.bicep says why 32.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 32

@description('Optional. The most instances that the platform may start; bounds the cost too.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. Memory of an instance in megabytes; 2048 comes with one core, which is all that one Python process uses.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. Instances for HTTP calls that always run and always cost. 0 is cheapest: a first call after a pause waits some seconds.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int = 0

@description('Optional. When due mailboxes are queued (NCRONTAB).')
param refreshSchedule string = '0 */5 * * * *'

@description('Optional. When secrets past their deadline, hand-overs and old rows are looked after (NCRONTAB).')
param sweepSchedule string = '0 */5 * * * *'

@description('Optional. A mailbox at rest is refreshed at least this often, in seconds.')
@minValue(20)
@maxValue(2592000)
param keepAliveSeconds int = 86400

@description('Optional. A token in use is renewed this many seconds before its end: two intervals of the refresh schedule.')
@minValue(1)
@maxValue(3600)
param marginSeconds int = 600

@description('Optional. How many seconds a pasted secret may stay in the intake vault at most.')
@minValue(5)
@maxValue(3600)
param intakeSeconds int = 600

// --- storage and keys

@description('Optional. Copies of the storage account. Choose Standard_ZRS or Standard_GZRS for production where the region has zones.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param storageRedundancy string = 'Standard_LRS'

@description('Optional. Log every read and write of a row. Exact, and dear.')
param logRows bool = false

@description('Optional. How long after a version of a key was made the next one is, as an ISO 8601 duration of 28 days or more.')
param rotateKeysAfter string = 'P1Y'

// --- watching

@description('Optional. Who is told by e-mail when an alert fires.')
param alertEmails string[] = []

@description('Optional. Addresses that are called when an alert fires. Without a secret in them.')
param alertWebhooks string[] = []

@description('Optional. Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Optional. Gigabytes of logs a day, -1 for no limit. Beyond the limit the alerts are blind.')
param logDailyCapGb int = -1

// --- Entra

@description('Optional. Make the Entra app that mailboxes are connected through. Needs the right to create applications; without it say false, and let the setup script do it (docs/setup.md).')
param entraApp bool = true

@description('Optional. What mailbox owners read when Microsoft asks them for consent.')
@minLength(1)
@maxLength(120)
param entraAppName string = 'Mail connection'

@description('Optional. Whose mailboxes: of any organisation, or of this Entra tenant only.')
@allowed(['AzureADMultipleOrgs', 'AzureADMyOrg'])
param audience string = 'AzureADMultipleOrgs'

@description('Optional. Which sets of permissions the app asks owners for.')
param permissionSets ('smtp' | 'imap' | 'graph')[] = ['smtp', 'imap', 'graph']

@description('Optional. Consent for everybody of this Entra tenant at once. Needs the right to grant it.')
param adminConsent bool = false

@description('Optional. Make an Entra app for the API itself, with app roles. The app does not take its tokens yet.')
param apiApp bool = false

// --- network

@description('Optional. Storage and vaults are reached through a virtual network only.')
param privateNetwork bool = false

@description('Optional. Address range of that network, /25 or larger.')
param networkAddressPrefix string = '10.76.0.0/24'

@description('Optional. Host name to be reached by; its DNS records must be there first (docs/operations.md). Empty for the platform\'s.')
param customDomain string = ''

var suffix = uniqueString(subscription().id, environmentName, location)
var allTags = union(tags, { 'azd-env-name': environmentName })
var insightsName = 'appi-postern-${suffix}'
var storageName = 'stpostern${suffix}'
var intakeVaultName = 'kv-in-${suffix}'
var keysVaultName = 'kv-keys-${suffix}'

// What environment() does not know of a cloud. Its login endpoint is right everywhere but in China,
// where it still is the one before; Microsoft Graph it has nowhere.
var clouds = {
  AzureCloud: {
    authority: environment().authentication.loginEndpoint
    graph: 'https://graph.microsoft.com'
    exchange: 'api://AzureADTokenExchange'
  }
  AzureUSGovernment: {
    authority: environment().authentication.loginEndpoint
    graph: 'https://graph.microsoft.us'
    exchange: 'api://AzureADTokenExchangeUSGov'
  }
  AzureChinaCloud: {
    authority: 'https://login.partner.microsoftonline.cn'
    graph: 'https://microsoftgraph.chinacloudapi.cn'
    exchange: 'api://AzureADTokenExchangeChina'
  }
}
var cloud = clouds[environment().name]
var authorityHost = endsWith(cloud.authority, '/')
  ? substring(cloud.authority, 0, length(cloud.authority) - 1)
  : cloud.authority

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-postern-${suffix}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-postern-${suffix}'
    insightsName: insightsName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: storageName
    location: location
    tags: allTags
    redundancy: storageRedundancy
    private: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    logRows: logRows
  }
}

module vaults 'modules/vaults.bicep' = {
  name: 'vaults'
  scope: group
  params: {
    intakeName: intakeVaultName
    keysName: keysVaultName
    location: location
    tags: allTags
    private: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    rotateAfter: rotateKeysAfter
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-postern-${suffix}'
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
  }
}

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    prefix: 'postern-${suffix}'
    location: location
    tags: allTags
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    storageId: storage.outputs.id
    intakeVaultId: vaults.outputs.intakeId
    keysVaultId: vaults.outputs.keysId
  }
}

// Before the app: its first start already reads its storage.
module access 'modules/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    suffix: suffix
    storageName: storageName
    intakeVaultName: intakeVaultName
    keysVaultName: keysVaultName
    insightsName: insightsName
  }
  dependsOn: [monitoring, storage, vaults]
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-postern-${suffix}'
    planName: 'plan-postern-${suffix}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    identityPrincipalId: identity.outputs.principalId
    blobUrl: storage.outputs.blobUrl
    queueUrl: storage.outputs.queueUrl
    tableUrl: storage.outputs.tableUrl
    intakeVaultUrl: vaults.outputs.intakeUrl
    keysVaultUrl: vaults.outputs.keysUrl
    insightsName: insightsName
    authorityHost: authorityHost
    graphUrl: cloud.graph
    customDomain: customDomain
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    pythonVersion: pythonVersion
    httpConcurrency: httpConcurrency
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyHttp: alwaysReadyHttp
    refreshSchedule: refreshSchedule
    sweepSchedule: sweepSchedule
    keepAliveSeconds: keepAliveSeconds
    marginSeconds: marginSeconds
    intakeSeconds: intakeSeconds
  }
  dependsOn: [access, privateEndpoints]
}

module domain 'modules/custom-domain.bicep' = if (!empty(customDomain)) {
  name: 'custom-domain'
  scope: group
  params: {
    appName: functionApp.outputs.name
    planName: functionApp.outputs.planName
    location: location
    tags: allTags
    hostName: customDomain
  }
}

module mailApp 'modules/entra-app.bicep' = if (entraApp) {
  name: 'entra-app'
  scope: group
  params: {
    uniqueName: 'postern-mail-${suffix}'
    displayName: entraAppName
    audience: audience
    redirectUri: '${functionApp.outputs.url}/api/callback'
    permissionSets: permissionSets
    adminConsent: adminConsent
    authorityHost: authorityHost
    exchangeAudience: cloud.exchange
    identityPrincipalId: identity.outputs.principalId
  }
}

module callersApp 'modules/api-app.bicep' = if (apiApp) {
  name: 'api-app'
  scope: group
  params: {
    uniqueName: 'postern-api-${suffix}'
    displayName: 'Postern API (${environmentName})'
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    prefix: 'postern-${suffix}'
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    vaultIds: [vaults.outputs.intakeId, vaults.outputs.keysId]
    emails: alertEmails
    webhooks: alertWebhooks
    intakeSeconds: intakeSeconds
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    suffix: suffix
    displayName: 'Postern ${environmentName}'
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
  }
}

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Entra tenant of the deployment.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('The app\'s public address.')
output POSTERN_URL string = functionApp.outputs.url

@description('Name of the function app.')
output POSTERN_FUNCTION_APP string = functionApp.outputs.name

@description('Client id of the Entra app that mailboxes are connected through; empty when none was made here.')
output POSTERN_MAIL_CLIENT_ID string = entraApp ? mailApp!.outputs.clientId : ''

@description('Its audience, as the API names it.')
output POSTERN_MAIL_AUDIENCE string = audience == 'AzureADMyOrg' ? 'tenant' : 'organizations'

@description('Its protocols, with commas between them.')
output POSTERN_MAIL_PROTOCOLS string = join(permissionSets, ',')

@description('Its name, which owners read.')
output POSTERN_MAIL_NAME string = entraAppName

@description('Client id of the Entra app for the API; empty when none was made.')
output POSTERN_API_CLIENT_ID string = apiApp ? callersApp!.outputs.clientId : ''

@description('Vault that holds the signing and wrapping keys.')
output POSTERN_KEYS_VAULT string = keysVaultName

@description('Vault that a pasted secret passes through.')
output POSTERN_INTAKE_VAULT string = intakeVaultName

@description('Storage account with the tables.')
output POSTERN_STORAGE_ACCOUNT string = storage.outputs.name

@description('Log Analytics workspace.')
output POSTERN_LOG_WORKSPACE string = monitoring.outputs.workspaceName

@description('What a custom domain\'s CNAME record points to.')
output POSTERN_DEFAULT_HOST string = functionApp.outputs.defaultHostName

@description('What a custom domain\'s TXT record `asuid.<name>` says. No secret.')
output POSTERN_DOMAIN_VERIFICATION_ID string = functionApp.outputs.domainVerificationId
