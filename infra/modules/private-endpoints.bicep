// Private endpoints of storage and vaults, and the zones that turn their public names into private
// addresses inside the network.

@description('Required. Names start with it.')
param prefix string

@description('Required. Region.')
param location string

@description('Required. Tags.')
param tags object

@description('Required. Resource id of the virtual network.')
param networkId string

@description('Required. Resource id of the subnet for the endpoints.')
param subnetId string

@description('Required. Resource id of the storage account.')
param storageId string

@description('Required. Resource id of the intake vault.')
param intakeVaultId string

@description('Required. Resource id of the keys vault.')
param keysVaultId string

// The zone of vaults has another word than their suffix, in every cloud: .vault.azure.net gives
// privatelink.vaultcore.azure.net.
var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  replace(environment().suffixes.keyvaultDns, '.vault.', 'privatelink.vaultcore.')
]
var endpoints = [
  { name: 'blob', part: 'blob', target: storageId, zone: 0 }
  { name: 'queue', part: 'queue', target: storageId, zone: 1 }
  { name: 'table', part: 'table', target: storageId, zone: 2 }
  { name: 'intake', part: 'vault', target: intakeVaultId, zone: 3 }
  { name: 'keys', part: 'vault', target: keysVaultId, zone: 3 }
]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [for name in zoneNames: {
  name: name
  location: 'global'
  tags: tags
}]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (name, index) in zoneNames: {
  parent: zone[index]
  name: '${prefix}-link'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = [for each in endpoints: {
  name: 'pe-${prefix}-${each.name}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: each.name
        properties: {
          privateLinkServiceId: each.target
          groupIds: [each.part]
        }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (each, index) in endpoints: {
  parent: endpoint[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: each.part
        properties: {
          privateDnsZoneId: zone[each.zone].id
        }
      }
    ]
  }
}]
