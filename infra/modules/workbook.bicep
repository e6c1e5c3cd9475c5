// One page that shows how it goes. What it shows is in workbook.json.

@description('Required. Makes the workbook\'s id, a GUID, the same at every deployment.')
param suffix string

@description('Required. Name that is shown in the portal.')
param displayName string

@description('Required. Region.')
param location string

@description('Required. Tags.')
param tags object

@description('Required. Log Analytics workspace that it reads.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, suffix, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: displayName
    category: 'workbook'
    serializedData: string(loadJsonContent('../workbook.json'))
    sourceId: workspaceId
    version: 'Notebook/1.0'
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
