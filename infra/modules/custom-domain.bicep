// A host name of one's own, with a certificate that Azure makes and renews. Its DNS records must be
// there first: CNAME to the platform's host name, TXT `asuid.<name>` with the verification id.

@description('Required. Name of the function app.')
param appName string

@description('Required. Name of its plan.')
param planName string

@description('Required. Region of the app.')
param location string

@description('Required. Tags.')
param tags object

@description('Required. The host name.')
param hostName string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName

  resource binding 'hostNameBindings@2025-03-01' = {
    name: hostName
    properties: {
      siteName: appName
      customHostNameDnsRecordType: 'CName'
      hostNameType: 'Verified'
      sslState: 'Disabled'
    }
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' existing = {
  name: planName
}

// Made once the name is bound; bound to it in a second step, as the platform wants it.
resource certificate 'Microsoft.Web/certificates@2025-03-01' = {
  name: 'cert-${replace(hostName, '.', '-')}'
  location: location
  tags: tags
  properties: {
    canonicalName: hostName
    serverFarmId: plan.id
  }
  dependsOn: [app::binding]
}

module tls 'custom-domain-tls.bicep' = {
  name: 'custom-domain-tls'
  params: {
    appName: appName
    hostName: hostName
    thumbprint: certificate.properties.thumbprint
  }
}
