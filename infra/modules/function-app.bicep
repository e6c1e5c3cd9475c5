// The function app on Flex Consumption, and all its settings. None of them is a secret: everything
// is reached as the identity.

import { packageContainer } from 'names.bicep'

@description('Required. Name of the function app.')
param name string

@description('Required. Name of its plan.')
param planName string

@description('Required. Region.')
param location string

@description('Required. Tags; azd finds the app by `azd-service-name`.')
param tags object

@description('Required. Resource id of the app\'s identity.')
param identityId string

@description('Required. Client id of the app\'s identity.')
param identityClientId string

@description('Required. Object id of the app\'s identity, written exactly as Entra has it.')
param identityPrincipalId string

@description('Required. Blob endpoint of the storage account.')
param blobUrl string

@description('Required. Queue endpoint of the storage account.')
param queueUrl string

@description('Required. Table endpoint of the storage account.')
param tableUrl string

@description('Required. Address of the intake vault.')
param intakeVaultUrl string

@description('Required. Address of the keys vault.')
param keysVaultUrl string

@description('Required. Name of the Application Insights component.')
param insightsName string

@description('Required. Entra\'s host in this cloud.')
param authorityHost string

@description('Required. Microsoft Graph\'s address in this cloud.')
param graphUrl string

@description('Required. Host name that owners and programs use instead of the platform\'s; empty for none.')
param customDomain string

@description('Required. Subnet for outgoing connections; empty for none.')
param subnetId string

@description('Required. Python version; one that CI tests.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string

@description('Required. How many HTTP calls an instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Required. The most instances that the platform may start.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('Required. Memory of an instance; cores come with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Required. Instances of the HTTP functions that always run; 0 means that a first call after a pause waits for a start.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int

@description('Required. When due mailboxes are queued (NCRONTAB).')
param refreshSchedule string

@description('Required. When secrets past their deadline, hand-overs and old rows are looked after (NCRONTAB).')
param sweepSchedule string

@description('Required. A mailbox at rest is refreshed at least this often.')
@minValue(20)
@maxValue(2592000)
param keepAliveSeconds int

@description('Required. A token in use is renewed this long before its end: two intervals of the refresh schedule.')
@minValue(1)
@maxValue(3600)
param marginSeconds int

@description('Required. How long a pasted secret may stay at most.')
@minValue(5)
@maxValue(3600)
param intakeSeconds int

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'postern' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    clientAffinityEnabled: false
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    // Owners and Entra's redirect come from anywhere.
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // The host's /admin routes answer Resource Manager only, not whoever has the master key. The
    // property is documented (learn.microsoft.com/azure/azure-functions/function-keys-how-to) and
    // missing from the published types.
    #disable-next-line BCP037
    functionsRuntimeAdminIsolationEnabled: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobUrl}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        alwaysReady: alwaysReadyHttp == 0
          ? []
          : [
              {
                name: 'http'
                instanceCount: alwaysReadyHttp
              }
            ]
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        triggers: {
          http: {
            // The platform's default for Python is 1: every call at the same time as another would
            // start an instance. Our handlers are async. docs/performance.md measured 32 deliveries
            // at once at 0.8 ms of processor time each, waiting for one point read; and 64 refreshes
            // at once, 4 ms each, that leave the core idle a sixth of the time. At 32 a core is busy
            // with deliveries before calls queue up, and a wave of expired tokens, all waiting for
            // Entra, stays below what the core can compute.
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      // The host's own storage connection, as the identity.
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      AzureWebJobsStorage__blobServiceUri: blobUrl
      AzureWebJobsStorage__queueServiceUri: queueUrl
      AzureWebJobsStorage__tableServiceUri: tableUrl
      APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      // The default, said so that nobody turns it on in host.json unseen: the callback's query holds
      // a code.
      AzureFunctionsJobHost__logging__applicationInsights__enableQueryStringTracing: 'false'
      POSTERN_BASE_URL: 'https://${empty(customDomain) ? app.properties.defaultHostName : customDomain}'
      POSTERN_TENANT_ID: tenant().tenantId
      POSTERN_IDENTITY_CLIENT_ID: identityClientId
      POSTERN_IDENTITY_PRINCIPAL_ID: identityPrincipalId
      POSTERN_TABLES_URL: tableUrl
      POSTERN_INTAKE_VAULT_URL: intakeVaultUrl
      POSTERN_KEYS_VAULT_URL: keysVaultUrl
      POSTERN_AUTHORITY_HOST: authorityHost
      POSTERN_GRAPH_URL: graphUrl
      POSTERN_REFRESH_SCHEDULE: refreshSchedule
      POSTERN_SWEEP_SCHEDULE: sweepSchedule
      POSTERN_KEEP_ALIVE_SECONDS: string(keepAliveSeconds)
      POSTERN_MARGIN_SECONDS: string(marginSeconds)
      POSTERN_INTAKE_SECONDS: string(intakeSeconds)
    }
  }

  resource noFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource noScm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

@description('Name of the function app.')
output name string = app.name

@description('Name of the plan.')
output planName string = plan.name

@description('The platform\'s host name, for a custom domain\'s CNAME.')
output defaultHostName string = app.properties.defaultHostName

@description('What a custom domain\'s TXT record `asuid.<name>` must say. No secret.')
output domainVerificationId string = app.properties.customDomainVerificationId

@description('The app\'s public address, without a slash at its end.')
output url string = 'https://${empty(customDomain) ? app.properties.defaultHostName : customDomain}'
