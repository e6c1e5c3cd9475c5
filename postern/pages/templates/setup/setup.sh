#!/bin/sh
# Registers an app in Entra for one deployment of Postern, lets it trust that deployment's own
# credential, and activates it there. No client secret is made, and none is needed. Run it again
# whenever you like: what is as it should be stays untouched.
#
# It needs az (signed in to the tenant below, as somebody who may register apps and consent for
# all), curl, and an admin key of that Postern in the environment variable POSTERN_API_KEY.
set -eu
umask 077

postern={{ setup.base_url | sh }}
graph={{ graph | sh }}
graph_app={{ graph_app_id | sh }}
tenant={{ setup.tenant_id | sh }}
tag={{ setup.tag | sh }}
redirect_uri={{ setup.redirect_uri | sh }}
sign_in_audience={{ sign_in_audience | sh }}
permissions={{ permissions | sh }}
scopes={{ scopes | sh }}
audience={{ setup.audience.value | sh }}
credential={{ setup.credential.value | sh }}
{% if setup.federation %}
issuer={{ setup.federation.issuer | sh }}
subject={{ setup.federation.subject | sh }}
exchange={{ setup.federation.audiences[0] | sh }}
trust={{ setup.federation.name | sh }}
{% endif %}
pause="${POSTERN_SETUP_PAUSE:-10}"

say() { printf '%s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# has WORD LIST: whether LIST, separated by blanks, holds WORD.
has() { case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac }

# Entra's servers learn of something new one after the other, so a refusal may end by itself.
patiently() {
  attempt=1
  until "$@"; do
    [ "$attempt" -lt 6 ] || return 1
    attempt=$((attempt + 1))
    say "   not yet; trying again in $pause seconds"
    sleep "$pause"
  done
}

# call METHOD PATH [BODY]: asks Postern; the status is then in $status, the answer in answer.json.
# The key goes in by standard input, because everybody on a machine can read arguments.
call() {
  method=$1 path=$2 body=${3:-/dev/null}
  set -- --silent --show-error --max-time 120 --output answer.json --write-out '%{http_code}'
  [ "$method" = GET ] ||
    set -- "$@" --header 'Content-Type: application/json' --data-binary "@$body"
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$POSTERN_API_KEY" |
    curl --config - --request "$method" "$@" "$postern$path") ||
    fail "there is no answer from $postern"
}
refused() { fail "Postern answers $status to $method $path: $(cat answer.json)"; }

# text NAME: a text of the answer that holds letters, digits and dashes only.
text() { sed -n 's/.*"'"$1"'":"\([A-Za-z0-9-]*\)".*/\1/p' answer.json; }

command -v az > /dev/null || fail "az is not here; see https://aka.ms/azure-cli"
command -v curl > /dev/null || fail "curl is not here"
case "${POSTERN_API_KEY:-}" in
  '') fail "put an admin key of $postern into the environment variable POSTERN_API_KEY" ;;
  *[!A-Za-z0-9_-]*) fail "POSTERN_API_KEY does not hold a key" ;;
esac
signed_in=$(az account show --query tenantId --output tsv) ||
  fail "sign in first: az login --allow-no-subscriptions --tenant $tenant"
[ "$signed_in" = "$tenant" ] ||
  fail "az is signed in to tenant $signed_in; az login --allow-no-subscriptions --tenant $tenant"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

# A wrong key shall be found before anything is made.
call GET /api/configs
[ "$status" = 200 ] || refused

cat > app.json <<'POSTERN_JSON'
{{ setup.registration | json }}
POSTERN_JSON
cat > same-name.json <<'POSTERN_JSON'
{{ setup.same_name | json }}
POSTERN_JSON
{% if setup.federation %}
cat > trust.json <<'POSTERN_JSON'
{{ setup.federation | json }}
POSTERN_JSON
cat > correction.json <<'POSTERN_JSON'
{{ setup.correction | json }}
POSTERN_JSON
{% endif %}

say "1. App registration"
app=$(az ad app list --filter "tags/any(t:t eq '$tag')" --query "join(' ', [].appId)" --output tsv)
case $app in
  *' '*) fail "several apps carry the tag $tag ($app); delete all but the right one" ;;
  '')
    others=$(az rest --method get --url "$graph/applications" --uri-parameters @same-name.json \
      --query "join(' ', value[].appId)" --output tsv)
    [ -z "$others" ] ||
      fail "there are apps of this name already, not made by this script ($others);" \
        "ask Postern for a script with another name"
    app=$(az rest --method post --url "$graph/applications" --body @app.json \
      --headers Content-Type=application/json --query appId --output tsv)
    [ -n "$app" ] || fail "Entra made no app"
    say "   made $app"
    ;;
  *)
    say "   is there: $app"
    is=$(az ad app show --id "$app" --query signInAudience --output tsv)
    if [ "$is" != "$sign_in_audience" ]; then
      say "   account types: $sign_in_audience instead of $is"
      az ad app update --id "$app" --sign-in-audience "$sign_in_audience" --output none
    fi
    uris=$(az ad app show --id "$app" --query "join(' ', web.redirectUris)" --output tsv)
    if ! has "$redirect_uri" "$uris"; then
      say "   adding the redirect URI"
      az ad app show --id "$app" --output json \
        --query "{web: {redirectUris: [web.redirectUris, ['$redirect_uri']][]}}" > redirect.json
      object=$(az ad app show --id "$app" --query id --output tsv)
      az rest --method patch --url "$graph/applications/$object" --body @redirect.json \
        --headers Content-Type=application/json --output none
    fi
    listed=$(az ad app show --id "$app" --output tsv \
      --query "join(' ', requiredResourceAccess[].resourceAccess[].id)")
    for permission in $permissions; do
      if ! has "$permission" "$listed"; then
        say "   adding the permission $permission"
        az ad app permission add --id "$app" --api "$graph_app" \
          --api-permissions "$permission=Scope" --only-show-errors --output none
      fi
    done
    ;;
esac

say "2. Service principal"
principal=$(az ad sp list --filter "appId eq '$app'" --query "join(' ', [].id)" --output tsv)
if [ -z "$principal" ]; then
  patiently az ad sp create --id "$app" --output none || fail "az could not make it"
  say "   made"
else
  say "   is there"
fi

{% if setup.federation %}
say "3. Federated credential"
# trusted: whether the app trusts this deployment; right after its creation it may not be found.
trusted() {
  names=$(az ad app federated-credential list --id "$app" --output tsv --query \
    "join(' ', [?issuer=='$issuer' && subject=='$subject' && audiences[0]=='$exchange'].name)")
}
patiently trusted || fail "az could not list the app's federated credentials"
if [ -n "$names" ]; then
  say "   is there"
else
  outdated=$(az ad app federated-credential list --id "$app" --output tsv \
    --query "join(' ', [?name=='$trust'].id)")
  if [ -n "$outdated" ]; then
    az ad app federated-credential update --id "$app" --federated-credential-id "$outdated" \
      --parameters @correction.json --output none
    say "   corrected"
  else
    patiently az ad app federated-credential create --id "$app" --parameters @trust.json \
      --output none || fail "az could not add it"
    say "   added"
  fi
fi
{% else %}
say "3. Certificate: comes with the activation"
{% endif %}

say "4. Admin consent"
consented() {
  given=$(az ad app permission list-grants --id "$app" --output tsv \
    --query "join(' ', [?consentType=='AllPrincipals'].scope)") || return 1
  for scope in $scopes; do has "$scope" "$given" || return 1; done
}
if consented; then
  say "   is given"
elif patiently az ad app permission admin-consent --id "$app" --output none; then
  say "   given"
else
  say "   NOT GIVEN: ask an admin who may, for Entra admin center > App registrations > All" \
    "applications > $app > API permissions > Grant admin consent. Everything else goes on."
fi

say "5. Activation"
{
  printf '{\n  "client_id": "%s",\n' "$app"
  cat <<'POSTERN_JSON'
{{ activation }}
POSTERN_JSON
} > activation.json

# Each configuration on a line of its own; in JSON, a text cannot hold the pattern unescaped.
call GET /api/configs
[ "$status" = 200 ] || refused
known=$(sed 's/{"id":"/\
{"id":"/g' answer.json | grep -F "\"client_id\":\"$app\"" |
  grep -v -e '"state":"failed"' -e '"deleting":true' | head -n 1)
config=$(printf '%s\n' "$known" | sed -n 's/^{"id":"\([a-z0-9]*\)".*/\1/p')
if [ -n "$config" ]; then
  case $known in
    *"\"audience\":\"$audience\""*"\"credential\":\"$credential\""*) ;;
    *) fail "app $app is configuration $config already, with another audience or credential" ;;
  esac
fi
{% if not setup.federation %}

# upload: the certificate of the answer, unless an earlier run did; its end is in its name.
uploaded=
upload() {
  [ -z "$uploaded" ] || return 0
  printf '%b' "$(sed -n 's/.*"certificate":"\([-A-Za-z0-9+/= \\]*\)".*/\1/p' answer.json)" \
    > postern.pem
  grep -q 'END CERTIFICATE' postern.pem || return 0
  ends=$(sed -n 's/.*"certificate_ends":"\([^"]*\)".*/\1/p' answer.json | tr -dc 0-9)
  uploaded=$(az ad app credential list --id "$app" --cert --output tsv \
    --query "join(' ', [?displayName=='postern-$config-$ends'].keyId)")
  if [ -z "$uploaded" ]; then
    say "   uploading the certificate"
    patiently az ad app credential reset --id "$app" --append --cert @postern.pem \
      --display-name "postern-$config-$ends" --only-show-errors --output none ||
      fail "az could not upload the certificate"
    uploaded=now
  fi
}
{% endif %}

attempt=1
while :; do
  if [ -n "$config" ]; then
    call POST "/api/configs/$config/verify"
  else
    call POST /api/configs activation.json
  fi
  case $status in
    200 | 201) break ;;
    202)
      config=$(sed -n 's/^{"id":"\([a-z0-9]*\)".*/\1/p' answer.json)
{% if not setup.federation %}
      upload
{% endif %}
      ;;
    409 | 422)
      config=${config:-$(text config)}
      case $(text error) in
        app-unknown | app-not-in-tenant | trust-lost | activation-under-way | changed-meanwhile) ;;
        *) refused ;;
      esac
      ;;
    429 | 503) ;;
    *) refused ;;
  esac
  [ "$attempt" -lt 30 ] || fail "Entra does not know of it all yet; run this again in some minutes"
  attempt=$((attempt + 1))
  say "   Entra does not know of it yet; asking again in $pause seconds"
  sleep "$pause"
done
config=${config:-$(sed -n 's/^{"id":"\([a-z0-9]*\)".*/\1/p' answer.json)}
say "   active"
say "Done: client id $app, configuration $config at $postern. No client secret was made."
