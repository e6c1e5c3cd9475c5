// Values come from the azd environment (`azd env set NAME value`) or, without azd, from the shell.
using './main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'postern')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')

param alwaysReadyHttp = int(readEnvironmentVariable('POSTERN_ALWAYS_READY', '0'))
param maximumInstanceCount = int(readEnvironmentVariable('POSTERN_MAXIMUM_INSTANCES', '40'))
param storageRedundancy = readEnvironmentVariable('POSTERN_STORAGE_REDUNDANCY', 'Standard_LRS')
param intakeSeconds = int(readEnvironmentVariable('POSTERN_INTAKE_SECONDS', '600'))

param alertEmails = empty(readEnvironmentVariable('POSTERN_ALERT_EMAILS', ''))
  ? []
  : split(readEnvironmentVariable('POSTERN_ALERT_EMAILS', ''), ',')
param alertWebhooks = empty(readEnvironmentVariable('POSTERN_ALERT_WEBHOOKS', ''))
  ? []
  : split(readEnvironmentVariable('POSTERN_ALERT_WEBHOOKS', ''), ',')
param logRetentionDays = int(readEnvironmentVariable('POSTERN_LOG_RETENTION_DAYS', '90'))

param entraApp = bool(readEnvironmentVariable('POSTERN_ENTRA_APP', 'true'))
param entraAppName = readEnvironmentVariable('POSTERN_ENTRA_APP_NAME', 'Mail connection')
param audience = readEnvironmentVariable('POSTERN_ENTRA_AUDIENCE', 'AzureADMultipleOrgs')
param adminConsent = bool(readEnvironmentVariable('POSTERN_ADMIN_CONSENT', 'false'))
param apiApp = bool(readEnvironmentVariable('POSTERN_API_APP', 'false'))

param privateNetwork = bool(readEnvironmentVariable('POSTERN_PRIVATE_NETWORK', 'false'))
param customDomain = readEnvironmentVariable('POSTERN_CUSTOM_DOMAIN', '')
