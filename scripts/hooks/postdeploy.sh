#!/bin/sh
# Mints the first admin key, activates the Entra app that infra/ made (without any client secret, since
# it trusts the identity already), makes a connect link and prints how to go on. Safe to run again:
# what is there is left as it is.
set -eu
cd "$(dirname "$0")/../.."

: "${AZURE_ENV_NAME:?is set by azd}" "${AZURE_RESOURCE_GROUP:?is an output of infra/main.bicep}"
: "${POSTERN_URL:?is an output of infra/main.bicep}" "${POSTERN_FUNCTION_APP:?is an output too}"

# A pipeline's log and disk are no place for an admin key.
if [ -n "${CI:-}" ]; then
  echo "A pipeline makes no key. From your own machine: azd hooks run postdeploy"
  exit 0
fi

# Keys are written to files that only this user reads and are never on a command line.
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
kept=.azure/$AZURE_ENV_NAME/admin.key

call() { # call METHOD ROUTE QUERY [BODY_FILE]
  if [ -n "${4:-}" ]; then
    az rest --method "$1" --url "$POSTERN_URL/api/$2" --skip-authorization-header \
      --headers "@$folder/headers.json" --body "@$4" --query "$3" --output tsv 2> "$folder/error"
  else
    az rest --method "$1" --url "$POSTERN_URL/api/$2" --skip-authorization-header \
      --headers "@$folder/headers.json" --query "$3" --output tsv 2> "$folder/error"
  fi
}

as_admin() {
  printf '{"Authorization": "Bearer %s", "Content-Type": "application/json"}' "$(cat "$kept")" \
    > "$folder/headers.json"
}

text() { # a JSON string
  printf '"%s"' "$(printf '%s' "$1" | sed 's/["\\]/\\&/g')"
}

# --- the first admin key

if [ ! -s "$kept" ]; then
  function_key=$(az functionapp keys list --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$POSTERN_FUNCTION_APP" --query functionKeys.default --output tsv)
  printf '{"x-functions-key": "%s", "Content-Type": "application/json"}' "$function_key" \
    > "$folder/headers.json"
  echo '{}' > "$folder/body.json"
  tries=0
  until admin_key=$(call post keys/bootstrap key "$folder/body.json"); do
    if grep -q bootstrapped "$folder/error"; then
      cat << EOF
The first admin key was minted before, elsewhere. Put it into $kept, or replace it:
POST $POSTERN_URL/api/keys/bootstrap with the function key and {"again": true}.
EOF
      exit 0
    fi
    tries=$((tries + 1))
    # Roles take some minutes to reach storage and vaults everywhere, and the first start is slow.
    if [ "$tries" -ge 20 ]; then
      echo "The app does not answer yet:" >&2
      cat "$folder/error" >&2
      echo "Try again later: azd hooks run postdeploy" >&2
      exit 1
    fi
    echo "Waiting for the app to answer…"
    sleep 15
  done
  mkdir -p "$(dirname "$kept")"
  [ -e .azure/.gitignore ] || echo '*' > .azure/.gitignore
  printf '%s' "$admin_key" > "$kept"
fi
as_admin

# --- activation

client_id=${POSTERN_MAIL_CLIENT_ID:-}
config=
if [ -n "$client_id" ]; then
  config=$(call get configs "configs[?client_id == '$client_id'] | [0].id")
  if [ -z "$config" ] || [ "$config" = None ]; then
    protocols=$(printf '%s' "${POSTERN_MAIL_PROTOCOLS:-smtp,imap,graph}" | sed 's/[^,]*/"&"/g')
    cat > "$folder/body.json" << EOF
{
  "name": $(text "${POSTERN_MAIL_NAME:-Mail connection}"),
  "client_id": "$client_id",
  "tenant_id": "${AZURE_TENANT_ID:?}",
  "audience": "${POSTERN_MAIL_AUDIENCE:-organizations}",
  "credential": "managed-identity",
  "protocols": [$protocols]
}
EOF
    if ! config=$(call post configs id "$folder/body.json"); then
      echo "Activation was refused:" >&2
      cat "$folder/error" >&2
      exit 1
    fi
  fi
fi

# --- what to try

state=
if [ -n "$config" ]; then
  tries=0
  state=$(call get "configs/$config" state)
  # Entra knows a new federated credential everywhere after some minutes only.
  while [ "$state" != active ] && [ "$tries" -lt 20 ]; do
    tries=$((tries + 1))
    echo "Configuration $config is $state; trying its credential again…"
    sleep 15
    echo '{}' > "$folder/body.json"
    call post "configs/$config/verify" state "$folder/body.json" > "$folder/none" || :
    state=$(call get "configs/$config" state)
  done
fi

echo
echo "Postern answers at $POSTERN_URL (is everything reached? $POSTERN_URL/api/health)"
echo "The admin key is in $kept, readable by you alone, ignored by git and shown nowhere."
echo "Put it into your password store."
if [ "$state" = active ]; then
  echo '{"note": "first try, made by azd"}' > "$folder/body.json"
  link=$(call post "configs/$config/links" url "$folder/body.json")
  cat << EOF
Configuration $config is active; no client secret was ever made.

To try it, open this link and sign in with a mailbox (it works once):
  $link
Then list what is connected:
  GET $POSTERN_URL/api/mailboxes?config=$config       Authorization: Bearer <admin key>
and give a program a key of its own:
  POST $POSTERN_URL/api/keys {"name": "my program", "role": "sender"}
EOF
elif [ -n "$config" ]; then
  echo "Configuration $config is $state; the app tries again by itself every five minutes."
else
  # The setup script makes an app that trusts this deployment; it holds no key and nothing secret.
  script=.azure/$AZURE_ENV_NAME/setup.sh
  az rest --method get --url "$POSTERN_URL/api/setup" --skip-authorization-header \
    --headers "@$folder/headers.json" --output-file "$script" \
    --uri-parameters "name=${POSTERN_MAIL_NAME:-Mail connection}" \
    "audience=${POSTERN_MAIL_AUDIENCE:-organizations}"
  cat << EOF
No Entra app was made. Somebody who may register applications runs the script that Postern made:
  $script
It needs az, curl and an admin key in POSTERN_API_KEY; docs/setup.md says the rest.
EOF
fi
