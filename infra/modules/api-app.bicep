// An Entra app for Postern's own API, with a role for each kind of caller. The app does not take
// Entra tokens yet (its callers have API keys), so this is off unless it is asked for.
extension microsoftGraphV1

@description('Required. Stable key of the application.')
param uniqueName string

@description('Required. Name of the application in the directory.')
param displayName string

var roles = [
  { value: 'Admin', name: 'Administrators', may: 'Activate configurations, manage keys, links and mailboxes.' }
  { value: 'Operator', name: 'Operators', may: 'Make connect links, see and disconnect mailboxes.' }
  { value: 'Sender', name: 'Senders', may: 'Fetch tokens of mailboxes.' }
]

resource app 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  signInAudience: 'AzureADMyOrg'
  api: {
    requestedAccessTokenVersion: 2
  }
  appRoles: [for role in roles: {
    id: guid(uniqueName, role.value)
    value: role.value
    displayName: role.name
    description: role.may
    allowedMemberTypes: role.value == 'Sender' ? ['Application'] : ['User', 'Application']
    isEnabled: true
  }]
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: app.appId
  // Without a role nobody gets a token for it.
  appRoleAssignmentRequired: true
}

@description('Client id of the application, the audience of its tokens.')
output clientId string = app.appId

@description('Object id of its service principal, which roles are assigned on.')
output principalId string = principal.id
