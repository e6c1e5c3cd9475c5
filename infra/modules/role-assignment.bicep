// One role on one thing. Bicep wants the kind of thing that a role is given on to be known when it
// is compiled, so each kind has its own few lines here; access.bicep has the table.

@description('Required. What kind of thing the role is given on.')
@allowed(['storage', 'queue', 'table', 'vault', 'telemetry'])
param kind string

@description('Required. Name of the storage account, vault or Application Insights.')
param resourceName string

@description('Required. Name of the queue or table in the account; empty for the whole.')
param part string

@description('Required. Object id of who gets the role.')
param principalId string

@description('Required. GUID of the role.')
param roleId string

var roleDefinitionId = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
var name = guid(resourceGroup().id, kind, resourceName, part, principalId, roleId)
var properties = {
  roleDefinitionId: roleDefinitionId
  principalId: principalId
  // Said, since Entra may not know a new identity everywhere yet.
  principalType: 'ServicePrincipal'
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = if (contains(['storage', 'queue', 'table'], kind)) {
  name: resourceName

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource queue 'queues' existing = {
      name: kind == 'queue' ? part : 'none'
    }
  }

  resource tableService 'tableServices' existing = {
    name: 'default'

    resource table 'tables' existing = {
      name: kind == 'table' ? part : 'none'
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = if (kind == 'vault') {
  name: resourceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = if (kind == 'telemetry') {
  name: resourceName
}

resource onStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'storage') {
  name: name
  scope: account
  properties: properties
}

resource onQueue 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'queue') {
  name: name
  scope: account::queueService::queue
  properties: properties
}

resource onTable 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'table') {
  name: name
  scope: account::tableService::table
  properties: properties
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'vault') {
  name: name
  scope: vault
  properties: properties
}

resource onTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'telemetry') {
  name: name
  scope: insights
  properties: properties
}
