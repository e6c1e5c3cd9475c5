// Everything that the app's identity may do in Azure: one table, one loop. Nobody else gets a right
// from this deployment, the person who deploys included.

import { queues, tables } from 'names.bicep'

@description('Required. Object id of the app\'s identity.')
param principalId string

@description('Required. Makes the names of the custom roles unique, which an Entra tenant wants.')
param suffix string

@description('Required. Name of the storage account.')
param storageName string

@description('Required. Name of the intake vault.')
param intakeVaultName string

@description('Required. Name of the keys vault.')
param keysVaultName string

@description('Required. Name of the Application Insights component.')
param insightsName string

var intakeRoleName = 'Postern intake vault'
var keysRoleName = 'Postern keys vault'

// Built-in roles by name. The custom ones are below.
var roles = {
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  '${intakeRoleName}': intakeRole.name
  '${keysRoleName}': keysRole.name
}

// The table. `parts` are the queues or tables that the role is given on, one by one; none means the
// whole resource.
var rights = [
  {
    role: 'Storage Blob Data Owner'
    kind: 'storage'
    resource: storageName
    parts: ['']
    why: 'The Functions host keeps its locks, the timers\' state and its keys in containers that it makes, and reads the package.'
  }
  {
    role: 'Storage Queue Data Contributor'
    kind: 'queue'
    resource: storageName
    parts: queues
    why: 'The host writes (output binding), reads, delays and deletes messages, and moves what failed five times.'
  }
  {
    role: 'Storage Table Data Contributor'
    kind: 'table'
    resource: storageName
    parts: tables
    why: 'The app reads, inserts, changes and deletes rows.'
  }
  {
    role: intakeRoleName
    kind: 'vault'
    resource: intakeVaultName
    parts: ['']
    why: 'The app takes a pasted secret in, lists what is there, deletes it, purges it and reads back that it is gone.'
  }
  {
    role: keysRoleName
    kind: 'vault'
    resource: keysVaultName
    parts: ['']
    why: 'The app signs assertions, certificates and receipts, wraps and unwraps data keys, and shows public keys.'
  }
  {
    role: 'Monitoring Metrics Publisher'
    kind: 'telemetry'
    resource: insightsName
    parts: ['']
    why: 'The host sends telemetry; without local authentication that needs a role.'
  }
]

var assignments = flatten(map(rights, right => map(right.parts, part => {
  role: right.role
  kind: right.kind
  resource: right.resource
  part: part
})))

resource intakeRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'intake-vault')
  properties: {
    roleName: '${intakeRoleName} ${suffix}'
    description: 'Take a secret in, list, read back, delete and purge. No recover, backup or restore.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/setSecret/action'
          'Microsoft.KeyVault/vaults/secrets/getSecret/action'
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/delete'
          'Microsoft.KeyVault/vaults/secrets/purge/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource keysRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'keys-vault')
  properties: {
    roleName: '${keysRoleName} ${suffix}'
    description: 'Read public keys, sign, wrap and unwrap. No create, import, change, delete, backup or export.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/keys/read'
          'Microsoft.KeyVault/vaults/keys/sign/action'
          'Microsoft.KeyVault/vaults/keys/wrap/action'
          'Microsoft.KeyVault/vaults/keys/unwrap/action'
        ]
        notDataActions: []
      }
    ]
  }
}

module assignment 'role-assignment.bicep' = [for (each, index) in assignments: {
  name: 'role-${index}-${uniqueString(each.role, each.resource, each.part)}'
  params: {
    kind: each.kind
    resourceName: each.resource
    part: each.part
    principalId: principalId
    roleId: roles[each.role]
  }
}]
