// The virtual network of a private deployment: one subnet that the app's outgoing connections come
// from, one for the private endpoints.

@description('Required. Name of the virtual network.')
param name string

@description('Required. Region.')
param location string

@description('Required. Tags.')
param tags object

@description('Required. Address range, /25 or larger. The app gets its first half, the endpoints the second.')
param addressPrefix string

var half = parseCidr(addressPrefix).cidr + 1

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
  }

  resource app 'subnets' = {
    name: 'app'
    properties: {
      addressPrefix: cidrSubnet(addressPrefix, half, 0)
      delegations: [
        {
          name: 'flex-consumption'
          properties: {
            serviceName: 'Microsoft.App/environments'
          }
        }
      ]
    }
  }

  resource endpoints 'subnets' = {
    name: 'endpoints'
    properties: {
      addressPrefix: cidrSubnet(addressPrefix, half, 1)
      privateEndpointNetworkPolicies: 'Enabled'
    }
    // Two subnets of one network are not made at the same time.
    dependsOn: [app]
  }
}

@description('Resource id of the virtual network.')
output id string = network.id

@description('Resource id of the subnet of the app.')
output appSubnetId string = network::app.id

@description('Resource id of the subnet of the private endpoints.')
output endpointSubnetId string = network::endpoints.id
