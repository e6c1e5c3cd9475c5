#!/bin/sh
# Says what is there now and what it costs.
set -eu

: "${POSTERN_URL:?is an output of infra/main.bicep}"

cat << EOF

Postern's resources are there.
  address          $POSTERN_URL
  redirect URI     $POSTERN_URL/api/callback
  keys             vault $POSTERN_KEYS_VAULT (wrapping and signing keys; they cannot be exported)
  pasted secrets   vault $POSTERN_INTAKE_VAULT (for minutes; deleted and purged)
  logs             workspace $POSTERN_LOG_WORKSPACE, with the workbook "Postern $AZURE_ENV_NAME"

Cost: at rest little more than logs, since nothing runs always unless POSTERN_ALWAYS_READY is set.
What grows with mailboxes is table transactions, executions and logs: docs/capacity.md has the model.
A private network (POSTERN_PRIVATE_NETWORK) costs five private endpoints an hour on top.
EOF
