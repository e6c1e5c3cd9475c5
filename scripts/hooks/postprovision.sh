#!/bin/sh
# Says what is there now, what it costs and what is left to somebody with more rights.
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

if [ -z "${POSTERN_MAIL_CLIENT_ID:-}${POSTERN_OWN_MAIL_CLIENT_ID:-}" ]; then
  cat << EOF

No Entra app was made. Somebody who may create applications in tenant $AZURE_TENANT_ID runs this; it
makes one that trusts this deployment and needs no client secret:

  POSTERN_URL='$POSTERN_URL' \\
  POSTERN_TRUST_ISSUER='$POSTERN_TRUST_ISSUER' \\
  POSTERN_TRUST_SUBJECT='$POSTERN_TRUST_SUBJECT' \\
  POSTERN_TRUST_AUDIENCE='$POSTERN_TRUST_AUDIENCE' \\
  sh scripts/hooks/entra-app.sh

and tells you the client id. Then: azd env set POSTERN_OWN_MAIL_CLIENT_ID <it>; azd hooks run postdeploy
EOF
fi
