#!/bin/sh
# Makes the Entra app that modules/entra-app.bicep makes, for deployments with POSTERN_ENTRA_APP=false:
# whoever may create applications runs it, with the values that postprovision.sh prints. Safe to run
# again: an app of the same name is brought to the same state.
set -eu

: "${POSTERN_URL:?}" "${POSTERN_TRUST_ISSUER:?}" "${POSTERN_TRUST_SUBJECT:?}"
: "${POSTERN_TRUST_AUDIENCE:?}"
name=${POSTERN_ENTRA_APP_NAME:-Mail connection}
audience=${POSTERN_ENTRA_AUDIENCE:-AzureADMultipleOrgs}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Delegated permissions of Microsoft Graph, as in modules/entra-app.bicep: openid, profile, email,
# offline_access, User.Read, SMTP.Send, IMAP.AccessAsUser.All, Mail.Send, Mail.ReadWrite.
cat > "$folder/permissions.json" << 'EOF'
[
  {
    "resourceAppId": "00000003-0000-0000-c000-000000000000",
    "resourceAccess": [
      { "type": "Scope", "id": "37f7f235-527c-4136-accd-4a02d197296e" },
      { "type": "Scope", "id": "14dad69e-099b-42c9-810b-d002981feec1" },
      { "type": "Scope", "id": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0" },
      { "type": "Scope", "id": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182" },
      { "type": "Scope", "id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d" },
      { "type": "Scope", "id": "258f6531-6087-4cc4-bb90-092c5fb3ed3f" },
      { "type": "Scope", "id": "652390e4-393a-48de-9484-05f9b1212954" },
      { "type": "Scope", "id": "e383f46e-2787-4529-855e-0e479a3ffac0" },
      { "type": "Scope", "id": "024d486e-b451-40bb-833d-3e66d98c5c73" }
    ]
  }
]
EOF
cat > "$folder/trust.json" << EOF
{
  "name": "postern",
  "issuer": "$POSTERN_TRUST_ISSUER",
  "subject": "$POSTERN_TRUST_SUBJECT",
  "audiences": ["$POSTERN_TRUST_AUDIENCE"],
  "description": "The managed identity of Postern signs in as this application."
}
EOF

client_id=$(az ad app list --display-name "$name" --query '[0].appId' --output tsv)
if [ -z "$client_id" ]; then
  client_id=$(az ad app create --display-name "$name" --query appId --output tsv)
fi
az ad app update --id "$client_id" --sign-in-audience "$audience" \
  --web-redirect-uris "$POSTERN_URL/api/callback" \
  --required-resource-accesses "@$folder/permissions.json"
if ! az ad sp show --id "$client_id" --output none 2> "$folder/none"; then
  az ad sp create --id "$client_id" --output none
fi
if az ad app federated-credential show --id "$client_id" --federated-credential-id postern \
  --output none 2> "$folder/none"; then
  az ad app federated-credential update --id "$client_id" --federated-credential-id postern \
    --parameters "@$folder/trust.json"
else
  az ad app federated-credential create --id "$client_id" --parameters "@$folder/trust.json" \
    --output none
fi

echo "The client id is $client_id"
