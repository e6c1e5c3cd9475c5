// Two vaults, since their rules oppose each other: what a person pastes must be gone for good within
// minutes, and the keys that open every mailbox's tokens must not be lost to a mistake.

@description('Required. Name of the vault that holds a pasted client secret for minutes.')
@minLength(3)
@maxLength(24)
param intakeName string

@description('Required. Name of the vault that holds the signing and wrapping keys.')
@minLength(3)
@maxLength(24)
param keysName string

@description('Required. Region.')
param location string

@description('Required. Tags; the pre-provision hook finds deleted vaults by them.')
param tags object

@description('Required. Only private endpoints reach them.')
param private bool

@description('Required. Log Analytics workspace for the audit logs.')
param workspaceId string

@description('Required. How long after a version of a key was made the next one is, as an ISO 8601 duration.')
param rotateAfter string

var keys = [
  // Signs client assertions and the certificates around itself. A configuration goes on with the
  // version of its own certificate, so a new version changes nothing that works.
  { name: 'client-assertion', operations: ['sign', 'verify'] }
  // Wraps data keys. Each names the version that wrapped it, so old versions stay enabled.
  { name: 'data-wrapping', operations: ['wrapKey', 'unwrapKey'] }
  // Signs removal receipts. A new version is used at once; /api/jwks shows all that are enabled.
  { name: 'receipts', operations: ['sign', 'verify'] }
]

var network = {
  // Resource Manager makes the keys; it is one of the services that this lets in. Roles still decide.
  bypass: 'AzureServices'
  defaultAction: private ? 'Deny' : 'Allow'
}

resource intake 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: intakeName
  location: location
  tags: union(tags, { 'postern-vault': 'intake' })
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    // No enablePurgeProtection, on purpose and for good: it cannot be taken back, and with it a
    // pasted secret would stay recoverable for a week. (Azure takes true or nothing, not false.)
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: network
  }
}

resource store 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: keysName
  location: location
  tags: union(tags, { 'postern-vault': 'keys' })
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: network
  }

  // A key that is there is left as it is: deploying again makes no new version.
  resource key 'keys' = [for key in keys: {
    name: key.name
    properties: {
      kty: 'RSA'
      // 2048 for all: Entra's certificates are, and a vault does four times as many operations with
      // it as with 3072 before it throttles, which a cold start with many configurations feels.
      keySize: 2048
      keyOps: key.operations
      attributes: {
        enabled: true
        exportable: false
      }
      rotationPolicy: {
        // No expiryTime: an expired version could not sign for the certificates around it any more.
        lifetimeActions: [
          {
            trigger: {
              timeAfterCreate: rotateAfter
            }
            action: {
              type: 'rotate'
            }
          }
        ]
      }
    }
  }]
}

resource intakeLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: intake
  properties: {
    workspaceId: workspaceId
    // The table AZKVAuditLogs, whose columns have types; alerts and the workbook read it.
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

resource keysLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: store
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the intake vault.')
output intakeId string = intake.id

@description('Address of the intake vault.')
output intakeUrl string = intake.properties.vaultUri

@description('Resource id of the keys vault.')
output keysId string = store.id

@description('Address of the keys vault.')
output keysUrl string = store.properties.vaultUri
