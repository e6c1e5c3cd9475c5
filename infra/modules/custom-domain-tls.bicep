// The second step of a custom domain: the same binding, now with its certificate.

@description('Required. Name of the function app.')
param appName string

@description('Required. The host name, already bound.')
param hostName string

@description('Required. Thumbprint of the certificate for it.')
param thumbprint string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName

  resource binding 'hostNameBindings@2025-03-01' = {
    name: hostName
    properties: {
      siteName: appName
      customHostNameDnsRecordType: 'CName'
      hostNameType: 'Verified'
      sslState: 'SniEnabled'
      thumbprint: thumbprint
    }
  }
}
