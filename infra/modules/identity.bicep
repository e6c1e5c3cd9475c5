// The app's one identity. Whoever has it is every Entra app that trusts it: never give it to
// another resource.

@description('Required. Name of the user-assigned managed identity.')
param name string

@description('Required. Region.')
param location string

@description('Required. Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, for what runs as it.')
output id string = identity.id

@description('Client id, by which the app asks for its tokens.')
output clientId string = identity.properties.clientId

@description('Object id: who gets the roles, and the subject of the federated credential.')
output principalId string = identity.properties.principalId
