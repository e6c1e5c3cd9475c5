#requires -Version 5.1
# Registers an app in Entra for one deployment of Postern, lets it trust that deployment's own
# credential, and activates it there. No client secret is made, and none is needed. Run it again
# whenever you like: what is as it should be stays untouched.
#
# It needs az (signed in to the tenant below, as somebody who may register apps and consent for
# all) and an admin key of that Postern in the environment variable POSTERN_API_KEY.
$ErrorActionPreference = 'Stop'

$Postern = {{ setup.base_url | powershell }}
$Graph = {{ graph | powershell }}
$GraphApp = {{ graph_app_id | powershell }}
$Tenant = {{ setup.tenant_id | powershell }}
$Tag = {{ setup.tag | powershell }}
$RedirectUri = {{ setup.redirect_uri | powershell }}
$SignInAudience = {{ sign_in_audience | powershell }}
$Permissions = {{ permissions | powershell }} -split ' '
$Scopes = {{ scopes | powershell }} -split ' '
$Audience = {{ setup.audience.value | powershell }}
$Credential = {{ setup.credential.value | powershell }}
$Pause = 10

# In JSON of plain ASCII, since az.cmd would read a name among its arguments once more.
$AppJson = @'
{{ setup.registration | json }}
'@
$SameNameJson = @'
{{ setup.same_name | json }}
'@
$ActivationJson = @'
{{ activation }}
'@
{% if setup.federation %}
$TrustJson = @'
{{ setup.federation | json }}
'@
$CorrectionJson = @'
{{ setup.correction | json }}
'@
{% endif %}

function Invoke-Az {
    $Output = & az @args
    if ($LASTEXITCODE -ne 0) { throw "setup: az $($args -join ' ') failed; its reason is above" }
    $Output
}

function Get-Az {
    $Parsed = Invoke-Az @args --output json | Out-String | ConvertFrom-Json
    $Parsed
}

# Entra's servers learn of something new one after the other, so a refusal may end by itself.
function Wait-For([scriptblock]$Step) {
    for ($Attempt = 1; ; $Attempt++) {
        try { return & $Step } catch { if ($Attempt -ge 6) { throw } }
        Write-Host "   not yet; trying again in $Pause seconds"
        Start-Sleep -Seconds $Pause
    }
}

function Save-Text([string]$Path, [string]$Text) {
    Set-Content -LiteralPath $Path -Value $Text -Encoding Ascii
}

# Asks Postern. Windows PowerShell and PowerShell 7 tell of a refusal by an exception.
function Invoke-Postern([string]$Method, [string]$Path, [string]$Body) {
    $Request = @{
        Method = $Method; Uri = "$Postern$Path"; UseBasicParsing = $true; TimeoutSec = 120
        MaximumRedirection = 0; Headers = @{ Authorization = "Bearer $env:POSTERN_API_KEY" }
    }
    if ($Method -eq 'POST') { $Request.Body = $Body; $Request.ContentType = 'application/json' }
    try {
        $Response = Invoke-WebRequest @Request
        $Status = [int]$Response.StatusCode
        $Text = [string]$Response.Content
    } catch {
        if (-not $_.Exception.Response) { throw }
        $Status = [int]$_.Exception.Response.StatusCode
        $Text = [string]$_.ErrorDetails.Message
    }
    $Json = $null
    try { $Json = $Text | ConvertFrom-Json } catch { Write-Verbose 'no JSON' }
    [pscustomobject]@{ Status = $Status; Text = $Text; Json = $Json; Asked = "$Method $Path" }
}

function Stop-Refused($Answer) {
    throw "setup: Postern answers $($Answer.Status) to $($Answer.Asked): $($Answer.Text)"
}

if (-not (Get-Command az -ErrorAction SilentlyContinue)) {
    throw 'setup: az is not here; see https://aka.ms/azure-cli'
}
if ("$env:POSTERN_API_KEY" -notmatch '^[A-Za-z0-9_-]+$') {
    throw "setup: put an admin key of $Postern into the environment variable POSTERN_API_KEY"
}
$SignedIn = (Get-Az account show).tenantId
if ($SignedIn -ne $Tenant) {
    throw "setup: az is signed in to $SignedIn; az login --allow-no-subscriptions --tenant $Tenant"
}
[Net.ServicePointManager]::SecurityProtocol = `
    [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

# A wrong key shall be found before anything is made.
$Answer = Invoke-Postern GET '/api/configs'
if ($Answer.Status -ne 200) { Stop-Refused $Answer }

$Work = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid().ToString())
New-Item -ItemType Directory -Path $Work | Out-Null
Push-Location -LiteralPath $Work
try {
    Save-Text app.json $AppJson
    Save-Text same-name.json $SameNameJson
{% if setup.federation %}
    Save-Text trust.json $TrustJson
    Save-Text correction.json $CorrectionJson
{% endif %}

    Write-Host '1. App registration'
    $Tagged = @(Get-Az ad app list --filter "tags/any(t:t eq '$Tag')")
    if ($Tagged.Count -gt 1) {
        throw "setup: several apps carry the tag $Tag ($($Tagged.appId)); delete all but one"
    } elseif ($Tagged.Count -eq 0) {
        $Found = Get-Az rest --method get --url "$Graph/applications" --uri-parameters '@same-name.json'
        $Others = @($Found.value)
        if ($Others.Count -gt 0) {
            throw "setup: there are apps of this name already, not made by this script " +
                "($($Others.appId)); ask Postern for a script with another name"
        }
        $App = (Get-Az rest --method post --url "$Graph/applications" --body '@app.json' `
                --headers 'Content-Type=application/json').appId
        if (-not $App) { throw 'setup: Entra made no app' }
        Write-Host "   made $App"
    } else {
        $Is = $Tagged[0]
        $App = $Is.appId
        Write-Host "   is there: $App"
        if ($Is.signInAudience -ne $SignInAudience) {
            Write-Host "   account types: $SignInAudience instead of $($Is.signInAudience)"
            Invoke-Az ad app update --id $App --sign-in-audience $SignInAudience --output none
        }
        $Uris = @($Is.web.redirectUris)
        if ($Uris -cnotcontains $RedirectUri) {
            Write-Host '   adding the redirect URI'
            $Web = @{ web = @{ redirectUris = @($Uris + $RedirectUri) } }
            Save-Text redirect.json ($Web | ConvertTo-Json -Depth 4)
            Invoke-Az rest --method patch --url "$Graph/applications/$($Is.id)" `
                --body '@redirect.json' --headers 'Content-Type=application/json' --output none
        }
        $Listed = @($Is.requiredResourceAccess.resourceAccess.id)
        foreach ($Permission in $Permissions) {
            if ($Listed -notcontains $Permission) {
                Write-Host "   adding the permission $Permission"
                Invoke-Az ad app permission add --id $App --api $GraphApp `
                    --api-permissions "$Permission=Scope" --only-show-errors --output none
            }
        }
    }

    Write-Host '2. Service principal'
    if (@(Get-Az ad sp list --filter "appId eq '$App'").Count -eq 0) {
        Wait-For { Invoke-Az ad sp create --id $App --output none }
        Write-Host '   made'
    } else {
        Write-Host '   is there'
    }

{% if setup.federation %}
    Write-Host '3. Federated credential'
    $Wanted = $TrustJson | ConvertFrom-Json
    $Trusts = @(Wait-For { Get-Az ad app federated-credential list --id $App })
    $Right = @($Trusts | Where-Object {
            $_.issuer -ceq $Wanted.issuer -and $_.subject -ceq $Wanted.subject -and
            $_.audiences -ccontains $Wanted.audiences[0] })
    $Outdated = @($Trusts | Where-Object { $_.name -eq $Wanted.name })
    if ($Right.Count -gt 0) {
        Write-Host '   is there'
    } elseif ($Outdated.Count -gt 0) {
        Invoke-Az ad app federated-credential update --id $App --output none `
            --federated-credential-id $Outdated[0].id --parameters '@correction.json'
        Write-Host '   corrected'
    } else {
        Wait-For {
            Invoke-Az ad app federated-credential create --id $App --output none `
                --parameters '@trust.json'
        }
        Write-Host '   added'
    }
{% else %}
    Write-Host '3. Certificate: comes with the activation'
{% endif %}

    Write-Host '4. Admin consent'
    $Given = @()
    foreach ($Grant in @(Wait-For { Get-Az ad app permission list-grants --id $App })) {
        if ($Grant.consentType -eq 'AllPrincipals') { $Given += $Grant.scope -split ' ' }
    }
    if (@($Scopes | Where-Object { $Given -notcontains $_ }).Count -eq 0) {
        Write-Host '   is given'
    } else {
        try {
            Wait-For { Invoke-Az ad app permission admin-consent --id $App --output none }
            Write-Host '   given'
        } catch {
            Write-Host ("   NOT GIVEN: ask an admin who may, for Entra admin center > " +
                "App registrations > All applications > $App > API permissions > " +
                'Grant admin consent. Everything else goes on.')
        }
    }

    Write-Host '5. Activation'
    $Body = "{`"client_id`": `"$App`",`n" + $ActivationJson
    $Answer = Invoke-Postern GET '/api/configs'
    if ($Answer.Status -ne 200) { Stop-Refused $Answer }
    $Known = @($Answer.Json.configs | Where-Object {
            $_.client_id -eq $App -and $_.state -ne 'failed' -and -not $_.deleting })
    $Config = $null
    if ($Known.Count -gt 0) {
        $Config = $Known[0].id
        if ($Known[0].audience -ne $Audience -or $Known[0].credential -ne $Credential) {
            throw "setup: app $App is configuration $Config already, " +
                'with another audience or credential'
        }
    }
    $Patience = 'app-unknown', 'app-not-in-tenant', 'trust-lost', 'activation-under-way',
        'changed-meanwhile'
{% if not setup.federation %}
    $Uploaded = $false
{% endif %}
    for ($Attempt = 1; ; $Attempt++) {
        if ($Config) {
            $Answer = Invoke-Postern POST "/api/configs/$Config/verify"
        } else {
            $Answer = Invoke-Postern POST '/api/configs' $Body
        }
        if (200, 201 -contains $Answer.Status) { $Config = $Answer.Json.id; break }
        if ($Answer.Status -eq 202) {
            $Config = $Answer.Json.id
{% if not setup.federation %}
            $Pem = $Answer.Json.trust_to_add.certificate
            if ($Pem -and -not $Uploaded) {
                Save-Text postern.pem $Pem
                $Ends = ([datetime]$Answer.Json.certificate_ends).ToUniversalTime()
                $Name = "postern-$Config-" + $Ends.ToString('yyyyMMddHHmmss')
                $There = @(Get-Az ad app credential list --id $App --cert |
                        Where-Object { $_.displayName -eq $Name })
                if ($There.Count -eq 0) {
                    Write-Host '   uploading the certificate'
                    Wait-For {
                        Invoke-Az ad app credential reset --id $App --append --cert '@postern.pem' `
                            --display-name $Name --only-show-errors --output none
                    }
                }
                $Uploaded = $true
            }
{% endif %}
        } elseif (409, 422 -contains $Answer.Status) {
            if ($Patience -notcontains $Answer.Json.error) { Stop-Refused $Answer }
            if (-not $Config) { $Config = $Answer.Json.config }
        } elseif (429, 503 -notcontains $Answer.Status) {
            Stop-Refused $Answer
        }
        if ($Attempt -ge 30) {
            throw 'setup: Entra does not know of it all yet; run this again in some minutes'
        }
        Write-Host "   Entra does not know of it yet; asking again in $Pause seconds"
        Start-Sleep -Seconds $Pause
    }
    Write-Host '   active'
    Write-Host "Done: client id $App, configuration $Config at $Postern. No client secret was made."
} finally {
    Pop-Location
    Remove-Item -Recurse -Force -LiteralPath $Work
}
