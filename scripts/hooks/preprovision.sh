#!/bin/sh
# Recovers the vaults of this environment that are deleted but not gone. The keys vault has purge
# protection, so its name stays taken for 90 days, and a deployment that wants it would fail. The keys
# come back with it; the roles on it do not, and are given anew.
set -eu

: "${AZURE_ENV_NAME:?is set by azd}" "${AZURE_LOCATION:?is set by azd}"
: "${AZURE_SUBSCRIPTION_ID:?is set by azd}"

ours="properties.tags.\"azd-env-name\" == '$AZURE_ENV_NAME' && properties.tags.\"postern-vault\""
here="properties.location == '$AZURE_LOCATION'"
deleted=$(az keyvault list-deleted --subscription "$AZURE_SUBSCRIPTION_ID" --resource-type vault \
  --query "[?$ours && $here].[name, properties.vaultId]" --output tsv)

recover() { # recover VAULT VAULT_ID
  # /subscriptions/<id>/resourceGroups/<group>/…: a vault comes back to where it was.
  group=$(printf '%s' "$2" | cut -d / -f 5)
  if [ "$(az group exists --subscription "$AZURE_SUBSCRIPTION_ID" --name "$group")" != true ]; then
    az group create --subscription "$AZURE_SUBSCRIPTION_ID" --name "$group" \
      --location "$AZURE_LOCATION" --tags "azd-env-name=$AZURE_ENV_NAME" --output none
  fi
  echo "Recovering the deleted vault $1 in $group"
  az keyvault recover --subscription "$AZURE_SUBSCRIPTION_ID" --name "$1" \
    --location "$AZURE_LOCATION" --resource-group "$group" --output none
}

[ -n "$deleted" ] || exit 0
printf '%s\n' "$deleted" | while read -r vault id; do
  recover "$vault" "$id" < /dev/null
done
