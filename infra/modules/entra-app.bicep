// The Entra app that mailboxes are connected through, trusting the app's identity from the start: no
// client secret is ever made. Needs a deployer that may create applications.
extension microsoftGraphV1

@description('Required. Stable key of the application; another one is another application.')
param uniqueName string

@description('Required. What mailbox owners read when Microsoft asks them for their consent.')
param displayName string

@description('Required. Whose mailboxes: of any organisation, or of this one.')
@allowed(['AzureADMultipleOrgs', 'AzureADMyOrg'])
param audience string

@description('Required. The one redirect URI.')
param redirectUri string

@description('Required. Which sets of permissions owners are asked for.')
param permissionSets ('smtp' | 'imap' | 'graph')[]

@description('Required. Consent now, for everybody of this Entra tenant. Needs a deployer that may do that.')
param adminConsent bool

@description('Required. Entra\'s host in this cloud, without a slash at its end.')
param authorityHost string

@description('Required. Audience of federated tokens in this cloud.')
param exchangeAudience string

@description('Required. Object id of the identity that signs in as this application, exactly as Entra has it.')
param identityPrincipalId string

var microsoftGraph = '00000003-0000-0000-c000-000000000000'

// Delegated permissions of Microsoft Graph. SMTP and IMAP are registered here too, although their
// tokens are asked for under outlook.office.com.
var scopes = {
  openid: '37f7f235-527c-4136-accd-4a02d197296e'
  profile: '14dad69e-099b-42c9-810b-d002981feec1'
  email: '64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0'
  offline_access: '7427e0e9-2fba-42fe-b0c0-848c9e6a8182'
  'User.Read': 'e1fe6dd8-ba31-4d61-89e7-88639da4683d'
  'SMTP.Send': '258f6531-6087-4cc4-bb90-092c5fb3ed3f'
  'IMAP.AccessAsUser.All': '652390e4-393a-48de-9484-05f9b1212954'
  'Mail.Send': 'e383f46e-2787-4529-855e-0e479a3ffac0'
  'Mail.ReadWrite': '024d486e-b451-40bb-833d-3e66d98c5c73'
}
var always = ['openid', 'profile', 'email', 'offline_access', 'User.Read']
var sets = {
  smtp: ['SMTP.Send']
  imap: ['IMAP.AccessAsUser.All']
  graph: ['Mail.Send', 'Mail.ReadWrite']
}
var wanted = concat(always, flatten(map(permissionSets, each => sets[each])))

resource app 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  signInAudience: audience
  web: {
    redirectUris: [redirectUri]
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: false
    }
  }
  requiredResourceAccess: [
    {
      resourceAppId: microsoftGraph
      resourceAccess: [for scope in wanted: {
        id: scopes[scope]
        type: 'Scope'
      }]
    }
  ]

  resource trust 'federatedIdentityCredentials@v1.0' = {
    name: '${app.uniqueName}/postern'
    description: 'The managed identity of Postern signs in as this application.'
    issuer: '${authorityHost}/${tenant().tenantId}/v2.0'
    subject: identityPrincipalId
    audiences: [exchangeAudience]
  }
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: app.appId
}

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = if (adminConsent) {
  appId: microsoftGraph
}

resource consent 'Microsoft.Graph/oauth2PermissionGrants@v1.0' = if (adminConsent) {
  clientId: principal.id
  consentType: 'AllPrincipals'
  resourceId: graph.id
  scope: join(wanted, ' ')
}

@description('Client id of the application.')
output clientId string = app.appId
