// What the code names too: tables, queues, containers and keys. Written once, so that what is made
// and what rights are given on cannot differ.

@export()
@description('Every table of docs/data-model.md. The app never makes one.')
var tables = [
  'addresses'
  'audit'
  'clients'
  'configs'
  'grants'
  'keys'
  'links'
  'mailboxes'
  'pending'
  'tenants'
]

@export()
@description('The queue of functions/refresh.py, and where the host puts what failed five times.')
var queues = [
  'refresh-due'
  'refresh-due-poison'
]

@export()
@description('Where the deployed package lies.')
var packageContainer = 'app-package'
