// What people are woken for. Each row of the table is one rule on the workspace; its query rests on
// a line that the app writes, a request that the host logs, or an audit log of Azure's own.
// docs/operations.md says what each means and what to do.

@description('Required. Names start with it.')
param prefix string

@description('Required. Region of the rules.')
param location string

@description('Required. Tags.')
param tags object

@description('Required. Log Analytics workspace that the queries run on.')
param workspaceId string

@description('Required. Resource ids of the vaults, for throttling.')
param vaultIds string[]

@description('Required. Who is told by e-mail.')
param emails string[]

@description('Required. Addresses that are called, with the common alert schema. Without a secret in them: whoever may read the resource reads them.')
param webhooks string[]

@description('Required. How long a pasted secret may stay in the intake vault.')
param intakeSeconds int

// One interval of the sweep, and the time that an audit log needs to arrive.
var overdueAfter = '${intakeSeconds / 60 + 20}m'

var rules = [
  {
    name: 'secret-overdue'
    says: 'A pasted client secret is still in the intake vault after its deadline.'
    severity: 0
    query: replace(loadTextContent('../alerts/secret-overdue.kql'), 'OVERDUE', overdueAfter)
    every: 'PT15M'
    over: 'P2D'
  }
  {
    name: 'sweep-left'
    says: 'The sweep left something undone: a secret, a configuration, a whole part.'
    severity: 1
    query: loadTextContent('../alerts/sweep-left.kql')
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'sweep-silent'
    says: 'No sweep has ended for half an hour: nothing removes what a crash leaves.'
    severity: 1
    query: loadTextContent('../alerts/sweep-silent.kql')
    every: 'PT15M'
    over: 'PT30M'
  }
  {
    name: 'breaker-open'
    says: 'A configuration\'s own credential fails, and its mailboxes are left alone until it works.'
    severity: 1
    query: loadTextContent('../alerts/breaker-open.kql')
    every: 'PT5M'
    over: 'PT5M'
  }
  {
    name: 'reconnect-share'
    says: 'More than one mailbox in twenty lost its consent within a day.'
    severity: 2
    query: loadTextContent('../alerts/reconnect-share.kql')
    every: 'PT1H'
    over: 'P1D'
  }
  {
    name: 'refresh-backlog'
    says: 'A mailbox has been due for more than half an hour.'
    severity: 2
    query: loadTextContent('../alerts/refresh-backlog.kql')
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'shard-left'
    says: 'The timer could not look for what is due in a shard.'
    severity: 2
    query: loadTextContent('../alerts/shard-left.kql')
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'poison-queue'
    says: 'A batch of mailboxes failed five times and was put aside.'
    severity: 2
    query: loadTextContent('../alerts/poison-queue.kql')
    every: 'PT15M'
    over: 'P2D'
  }
  {
    name: 'functions-failing'
    says: 'A timer or the queue function ends in failure.'
    severity: 2
    query: loadTextContent('../alerts/functions-failing.kql')
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'server-errors'
    says: 'More than five answers were server errors (5xx) within a quarter of an hour.'
    severity: 2
    query: loadTextContent('../alerts/server-errors.kql')
    every: 'PT5M'
    over: 'PT15M'
  }
  {
    name: 'credential-ends-30'
    says: 'A configuration\'s certificate ends within 30 days.'
    severity: 3
    query: replace(loadTextContent('../alerts/credential-ends.kql'), 'DAYS', '30')
    every: 'PT1H'
    over: 'PT1H'
  }
  {
    name: 'credential-ends-7'
    says: 'A configuration\'s certificate ends within 7 days.'
    severity: 1
    query: replace(loadTextContent('../alerts/credential-ends.kql'), 'DAYS', '7')
    every: 'PT1H'
    over: 'PT1H'
  }
  {
    name: 'audit-lost'
    says: 'Something was done whose line in the audit could not be written.'
    severity: 2
    query: loadTextContent('../alerts/audit-lost.kql')
    every: 'PT15M'
    over: 'PT15M'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-people'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'postern'
    enabled: true
    emailReceivers: [for (email, index) in emails: {
      name: 'email-${index}'
      emailAddress: email
      useCommonAlertSchema: true
    }]
    webhookReceivers: [for (webhook, index) in webhooks: {
      name: 'webhook-${index}'
      serviceUri: webhook
      useCommonAlertSchema: true
    }]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for each in rules: {
  name: '${prefix}-${each.name}'
  location: location
  tags: tags
  properties: {
    displayName: each.name
    description: each.says
    severity: each.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: each.every
    windowSize: each.over
    autoMitigate: true
    // A new workspace does not know the tables of vault and queue logs before their first row.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          // Every query returns a row for each thing that is wrong, and none when all is well.
          query: each.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [people.id]
    }
  }
}]

// The vault's own metric: what it refuses for being too much is in no audit log.
resource throttled 'Microsoft.Insights/metricAlerts@2018-03-01' = [for vaultId in vaultIds: {
  name: '${prefix}-throttled-${last(split(vaultId, '/'))}'
  location: 'global'
  tags: tags
  properties: {
    description: 'A vault refuses calls for being too many.'
    severity: 2
    enabled: true
    scopes: [vaultId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'refused'
          metricNamespace: 'Microsoft.KeyVault/vaults'
          metricName: 'ServiceApiResult'
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: ['429']
            }
          ]
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}]

@description('Resource id of the action group, for rules of one\'s own.')
output peopleId string = people.id
