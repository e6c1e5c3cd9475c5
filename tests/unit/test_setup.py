"""The setup script: whatever the name holds, az is asked for the same and nothing else runs.

The sh script is run by the real /bin/sh with an `az` and a `curl` that only note what they are
given. PowerShell is not to be had here, so its quoting is read back by a small parser of its rules.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from postern.errors import Malformed
from postern.model.config import Audience, CredentialKind
from postern.model.permissions import GRAPH_APP_ID
from postern.model.scopes import Protocol, scopes
from postern.model.setup import PROTOCOLS_OF, PermissionSet, Setup
from postern.model.trust import Deployment
from postern.pages.scripts import Scripts, plain_json, powershell, sh
from postern.pages.setup import SetupPages
from postern.services.setting_up import Format, SettingUp

HOME = "c0000000-0000-4000-8000-000000000001"
AWAY = "f0000000-0000-4000-8000-000000000001"
APP = "a0000000-0000-4000-8000-0000000000aa"
KEY = "postern_" + "k" * 51
DEPLOYMENT = Deployment(
    tenant_id=HOME,
    client_id="1d000000-0000-4000-8000-00000000000c",
    principal_id="1d000000-0000-4000-8000-00000000000a",
    issuer=f"https://login.microsoftonline.com/{HOME}/v2.0",
)
# The nine of the vendor's page (shared facts, section 3).
NINE = {
    "Mail.ReadWrite": "024d486e-b451-40bb-833d-3e66d98c5c73",
    "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "IMAP.AccessAsUser.All": "652390e4-393a-48de-9484-05f9b1212954",
    "SMTP.Send": "258f6531-6087-4cc4-bb90-092c5fb3ed3f",
}
HOSTILE = [
    "Contoso's Mail",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    "@app.json",
    "-rf --help",
    "POSTERN_JSON",
    "'@ ; throw 'x",
    "\u2018; throw \u201ax\u2019\u201b",
    "Бд \u0411\u2019",
    "%PATH% & calc | more > x ^ !y!",
    "{{ setup }} {% raw %} {# x #}",
    "\\u0027 \\ \\\\ \\' \\\" \\n",
    "#>*?[a-z]~ ${IFS}",
    '","client_id":"x","name":"',
    "<script>alert(1)</script></pre>",
]

AZ = r"""#!/bin/sh
for argument; do
  printf '%s\0' "$argument" >> "$SEEN/az"
  case $argument in @*) cp "${argument#@}" "$SEEN/${argument#@}" ;; esac
done
printf '\0' >> "$SEEN/az"
case "$*" in
  "account show"*) echo "$TENANT" ;;
  "ad app list"*) printf '%s\n' "$TAGGED" ;;
  *"--uri-parameters @same-name.json"*) printf '%s\n' "$SAME_NAME" ;;
  *"--method post"*) echo "$APP" ;;
  *"--query signInAudience"*) echo "$IS_AUDIENCE" ;;
  *"join(' ', web.redirectUris)"*) echo "$IS_URIS" ;;
  *"{web: "*) echo '{"web": {"redirectUris": ["as az made it"]}}' ;;
  *"--query id "*) echo object ;;
  *"requiredResourceAccess"*) echo "$IS_PERMISSIONS" ;;
  "ad sp list"*) echo "$IS_PRINCIPAL" ;;
  *"[?name=='postern']"*) echo "$IS_OUTDATED" ;;
  "ad app federated-credential list"*) echo "$IS_TRUSTED" ;;
  *"list-grants"*) echo "$IS_CONSENTED" ;;
  *"admin-consent"*) exit "$CONSENT_FAILS" ;;
  *"credential list"*) echo "$IS_UPLOADED" ;;
esac
"""
CURL = r"""#!/bin/sh
cat > "$SEEN/config"
for argument; do
  printf '%s\0' "$argument" >> "$SEEN/curl"
  case $argument in @activation*) cp "${argument#@}" "$SEEN/activation.json" ;; esac
done
printf '\0' >> "$SEEN/curl"
number=$(($(cat "$SEEN/number" 2> /dev/null || echo 0) + 1))
echo "$number" > "$SEEN/number"
sed -n "${number}s/^[0-9]* //p" "$SEEN/answers" > answer.json
sed -n "${number}s/ .*//p" "$SEEN/answers" | tr -d '\n'
"""


def setup(name="Contoso Mail", **query):
    known = SettingUp(
        DEPLOYMENT, base_url="https://postern.example", graph_url="https://graph.microsoft.com"
    )
    return known.wanted({"name": name, **query})[0]


@dataclass
class Ran:
    """What running a script came to."""

    status: int
    output: str
    az: list[list[str]]
    curl: list[list[str]]
    seen: Path

    def body(self, name):
        return json.loads((self.seen / name).read_text("ascii"))

    def changes(self):
        """Return the az calls that change something, by their first words."""
        verbs = {"create", "update", "add", "reset", "admin-consent"}
        found = []
        for call in self.az:
            words = [word for word in call if not word.startswith("-")]
            if verbs & set(words[:4]) or "post" in call or "patch" in call:
                found.append(call)
        return found


ACTIVE = f'201 {{"id":"abcd2345","name":"x","state":"active","client_id":"{APP}"}}'
FRESH = ['200 {"configs":[]}', '200 {"configs":[]}', ACTIVE]
AS_IT_SHOULD_BE = {
    "TAGGED": APP,
    "IS_PERMISSIONS": " ".join(NINE.values()),
    "IS_PRINCIPAL": "there",
    "IS_TRUSTED": "postern",
    "IS_CONSENTED": " ".join(NINE),
}


def run(script, folder, answers=FRESH, **state):
    """Run a script with what az and Postern answer; nothing but its own directory is around."""
    seen, path = folder / "seen", folder / "bin"
    seen.mkdir()
    path.mkdir()
    for name, text in (("az", AZ), ("curl", CURL)):
        (path / name).write_text(text)
        (path / name).chmod(0o700)
    (seen / "answers").write_text("".join(f"{answer}\n" for answer in answers))
    (folder / "tmp").mkdir()
    environment = {
        "TENANT": HOME, "APP": APP, "TAGGED": "", "SAME_NAME": "", "CONSENT_FAILS": "0",
        "IS_AUDIENCE": "AzureADMultipleOrgs", "IS_URIS": "https://postern.example/api/callback",
        "IS_PERMISSIONS": "", "IS_PRINCIPAL": "", "IS_TRUSTED": "", "IS_OUTDATED": "",
        "IS_CONSENTED": "", "IS_UPLOADED": "", "POSTERN_API_KEY": KEY, "POSTERN_SETUP_PAUSE": "0",
    }  # fmt: skip
    done = subprocess.run(
        ["/bin/sh"],
        input=script,
        cwd=folder,
        capture_output=True,
        text=True,
        env={
            **environment,
            **state,
            "PATH": f"{path}:/usr/bin:/bin",
            "SEEN": str(seen),
            "TMPDIR": str(folder / "tmp"),
        },
    )
    # Nothing is left behind, and nothing that the name asked for was made.
    assert sorted(each.name for each in folder.iterdir()) == ["bin", "seen", "tmp"]
    assert list((folder / "tmp").iterdir()) == []
    return Ran(
        done.returncode,
        done.stdout + done.stderr,
        _calls(seen / "az"),
        _calls(seen / "curl"),
        seen,
    )


def _calls(path):
    text = path.read_text() if path.exists() else ""
    return [call.split("\0") for call in text.split("\0\0") if call]


# --- the values ---------------------------------------------------------------------------------


def test_full_is_the_nine():
    assert dict(setup(set="full").permissions) == NINE


@pytest.mark.parametrize("chosen", PermissionSet)
def test_a_set_registers_what_signing_in_for_its_protocols_asks_for(chosen):
    names = set(setup(set=chosen.value).permissions)
    asked = {scope.rpartition("/")[2] for scope in scopes(PROTOCOLS_OF[chosen])}
    assert names == asked | {"openid", "profile", "email", "offline_access"}


@pytest.mark.parametrize(
    ("audience", "account_types"),
    [("organizations", "AzureADMultipleOrgs"), ("tenant", "AzureADMyOrg")],
)
def test_registration(audience, account_types):
    body = setup(audience=audience, set="smtp imap").registration
    assert body["signInAudience"] == account_types
    assert body["web"] == {"redirectUris": ["https://postern.example/api/callback"]}
    (resource,) = body["requiredResourceAccess"]
    assert resource["resourceAppId"] == GRAPH_APP_ID
    assert len(resource["resourceAccess"]) == 6
    assert all(each["type"] == "Scope" for each in resource["resourceAccess"])


def test_the_credential_follows_the_tenant():
    assert setup().credential is CredentialKind.MANAGED_IDENTITY
    assert setup(tenant=HOME.upper()).credential is CredentialKind.MANAGED_IDENTITY
    assert setup(tenant=AWAY).credential is CredentialKind.CERTIFICATE
    assert setup(credential="certificate").federation is None
    assert setup().federation == {
        "name": "postern",
        "issuer": DEPLOYMENT.issuer,
        "subject": DEPLOYMENT.principal_id,
        "audiences": ["api://AzureADTokenExchange"],
    }


def test_the_tag_tells_apart_what_must_be_told_apart():
    tags = {setup().tag, setup("Other").tag, setup(tenant=AWAY).tag}
    assert len(tags) == 3
    assert setup().tag == setup(audience="tenant", set="graph-send").tag


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"name": ""}, "name-malformed"),
        ({"name": "  "}, "name-malformed"),
        ({"name": "x" * 61}, "name-malformed"),
        ({"name": "two\nlines"}, "name-malformed"),
        ({"name": "two\r\nlines"}, "name-malformed"),
        ({"name": "nul\0"}, "name-malformed"),
        ({"name": "bell\x07"}, "name-malformed"),
        ({"name": "next\x85line"}, "name-malformed"),
        ({"name": "line\u2028separator"}, "name-malformed"),
        ({"name": "right-to-left \u202e"}, "name-malformed"),
        ({"tenant": "contoso.example"}, "tenant-id-malformed"),
        ({"tenant": ""}, "tenant-id-malformed"),
        ({"tenant": AWAY, "credential": "managed-identity"}, "identity-other-tenant"),
        ({"credential": "secret"}, "setup-option-unknown"),
        ({"credential": ""}, "setup-option-unknown"),
        ({"audience": "everybody"}, "setup-option-unknown"),
        ({"set": "all"}, "setup-option-unknown"),
        ({"format": "bash"}, "setup-option-unknown"),
        ({"client_secret": "x"}, "setup-option-unknown"),
    ],
)
def test_what_cannot_be_set_up_is_refused_by_name(query, code):
    with pytest.raises(Malformed) as refusal:
        setup(**query)
    assert refusal.value.code == code


def test_every_format_and_option_has_its_word():
    known = SettingUp(DEPLOYMENT, base_url="https://p.example", graph_url="https://g.example")
    for form in Format:
        assert known.wanted({"name": "x", "format": form.value})[1] is form
    assert known.wanted({"name": "x"})[1] is Format.SH
    wanted, _ = known.wanted({"name": "x", "set": "graph-send", "audience": "tenant"})
    assert (wanted.protocols, wanted.audience) == ((Protocol.GRAPH,), Audience.TENANT)


# --- quoting ------------------------------------------------------------------------------------

names = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
    | st.text("'\"`$\\(){}<>|&;%^!@#*?~-\u2018\u2019\u201a\u201b \n"[:-1], min_size=1, max_size=60)
).filter(lambda name: name.strip() != "" and name.isprintable())


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80))
@settings(max_examples=60, deadline=None)
def test_a_word_of_sh_is_read_back_by_sh(text):
    done = subprocess.run(
        ["/bin/sh"], input=f"printf '%s' {sh(text)}".encode(), capture_output=True, check=True
    )
    assert done.stdout.decode() == text
    assert done.stderr == b""


def read_powershell(text):
    """Read one single-quoted string as PowerShell does: any of its quotes ends it, two are one."""
    quotes = "'\u2018\u2019\u201a\u201b"
    assert text[0] in quotes
    read, at = "", 1
    while True:
        if text[at] not in quotes:
            read, at = read + text[at], at + 1
        elif at + 1 < len(text) and text[at + 1] in quotes:
            read, at = read + text[at], at + 2
        else:
            return read, text[at + 1 :]


@given(st.text())
@example("it's")
@example("''")
@example('$(throw) `n "x"')
def test_a_string_of_powershell_is_read_back_or_refused(text):
    try:
        quoted = powershell(text)
    except ValueError:
        assert not (text.isascii() and text.isprintable())
    else:
        assert read_powershell(quoted) == (text, "")


def test_the_parser_of_powershell_would_find_a_forgotten_quote():
    assert read_powershell("'it' ; calc '") == ("it", " ; calc '")
    assert read_powershell("'it\u2019; calc") == ("it", "; calc")


@given(names)
@example('\\"')
@example("\\\\'")
def test_json_keeps_its_meaning_and_holds_nothing_that_any_shell_reads(name):
    text = plain_json({"name": name})
    assert json.loads(text) == {"name": name}
    assert re.fullmatch(r'[\w .,:/+=()\[\]{}"\\\n-]*', text, re.ASCII)
    # A backslash does nothing but name a character, and a quote does nothing but end a string.
    assert re.fullmatch(r'\{\n  "name": "(?:[^"\\]|\\u[0-9a-f]{4})*"\n\}', text)


def test_a_value_that_is_not_quoted_cannot_be_rendered():
    templates = Scripts()._templates
    with pytest.raises(ValueError, match="not quoted"):
        templates.from_string("x={{ name }}").render(name="plain")
    assert templates.from_string("x={{ name | sh }}").render(name="plain") == "x='plain'"


@given(names)
@example("\u0411")
@settings(max_examples=30, deadline=None)
def test_the_powershell_script_differs_in_json_only(name):
    """Two scripts differ between the lines that open and close a literal, and in the tag."""
    assume(name.strip() == name)
    text = Scripts().powershell(setup(name))
    assert text.isascii()
    assert skeleton(text) == skeleton(Scripts().powershell(setup("Plain")))
    literals = re.findall(r"@'\n(.*?)\n'@\n", text, re.DOTALL)
    assert json.loads(literals[0]) == setup(name).registration
    assert json.loads(literals[1]) == setup(name).same_name
    assert json.loads("{" + literals[2]) == setup(name).activation
    assert json.loads(literals[3]) == setup(name).federation


def skeleton(script):
    script = re.sub(r"@'\n.*?\n'@\n", "LITERAL\n", script, flags=re.DOTALL)
    return re.sub("postern-[0-9a-f]{32}", "TAG", script)


# --- sh, run ------------------------------------------------------------------------------------


def test_a_first_run_makes_everything(tmp_path):
    wanted = setup()
    ran = run(Scripts().sh(wanted), tmp_path)
    assert ran.status == 0, ran.output
    assert f"client id {APP}, configuration abcd2345" in ran.output
    assert ran.body("app.json") == wanted.registration
    assert ran.body("trust.json") == wanted.federation
    assert ran.body("activation.json") == {"client_id": APP, **wanted.activation}
    assert [call[:4] for call in ran.changes()] == [
        ["rest", "--method", "post", "--url"],
        ["ad", "sp", "create", "--id"],
        ["ad", "app", "federated-credential", "create"],
        ["ad", "app", "permission", "admin-consent"],
    ]
    assert "secret" not in json.dumps([*ran.az, *ran.curl]).lower()


@given(names)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_az_is_asked_for_the_same_whatever_the_name_holds(name):
    check_name(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name(name):
    check_name(name)


def check_name(name):
    name = name.strip()
    wanted, plain = setup(name), setup("Plain")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ran = run(Scripts().sh(wanted), Path(one))
        known = run(Scripts().sh(plain), Path(other))
        assert ran.status == 0, ran.output
        asked = json.dumps(known.az).replace(plain.tag, wanted.tag)
        assert ran.az == json.loads(asked)
        assert ran.curl == known.curl
        assert ran.body("app.json")["displayName"] == name
        assert ran.body("activation.json")["name"] == name
        double = name.replace("'", "''")
        assert ran.body("same-name.json")["$filter"] == f"displayName eq '{double}'"


def test_a_second_run_changes_nothing(tmp_path):
    config = (
        f'200 {{"configs":[{{"id":"abcd2345","name":"x","state":"active","client_id":"{APP}",'
        '"audience":"organizations","credential":"managed-identity"}]}'
    )
    ran = run(Scripts().sh(setup()), tmp_path, [config, config, ACTIVE], **AS_IT_SHOULD_BE)
    assert ran.status == 0, ran.output
    assert ran.changes() == []
    assert ran.curl[-1][-1] == "https://postern.example/api/configs/abcd2345/verify"


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ({"IS_AUDIENCE": "AzureADMyOrg"}, "--sign-in-audience AzureADMultipleOrgs"),
        ({"IS_URIS": "https://other.example/x"}, "--body @redirect.json"),
        ({"IS_PERMISSIONS": " ".join([*NINE.values()][1:])}, f"{NINE['Mail.ReadWrite']}=Scope"),
        ({"IS_PRINCIPAL": ""}, "ad sp create"),
        ({"IS_TRUSTED": ""}, "federated-credential create"),
        ({"IS_TRUSTED": "", "IS_OUTDATED": "fic"}, "--federated-credential-id fic"),
        ({"IS_CONSENTED": " ".join([*NINE][1:])}, "admin-consent"),
    ],
)
def test_what_is_missing_is_added_and_nothing_else(tmp_path, state, change):
    ran = run(Scripts().sh(setup()), tmp_path, **{**AS_IT_SHOULD_BE, **state})
    assert ran.status == 0, ran.output
    (changed,) = ran.changes()
    assert change in " ".join(changed)
    if "update" in changed and "federated-credential" in changed:
        assert "name" not in ran.body("correction.json")
        assert setup().federation == {"name": "postern", **ran.body("correction.json")}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {"TAGGED": f"{APP} {AWAY}"},
            f"several apps carry the tag postern-[0-9a-f]+ .{APP} {AWAY}",
        ),
        ({"SAME_NAME": AWAY}, f"apps of this name already, not made by this script .{AWAY}"),
        ({"TENANT": AWAY}, f"signed in to tenant {AWAY}; az login .* --tenant {HOME}"),
        ({"POSTERN_API_KEY": ""}, "put an admin key of https://postern.example into"),
        ({"POSTERN_API_KEY": 'x"\nurl = "file:'}, "does not hold a key"),
    ],
)
def test_it_stops_before_it_does_harm(tmp_path, state, words):
    ran = run(Scripts().sh(setup()), tmp_path, **state)
    assert ran.status == 1
    assert re.search(words, ran.output), ran.output
    assert ran.changes() == []


def test_a_wrong_key_is_found_before_anything_is_made(tmp_path):
    answer = '401 {"error":"key-unknown","description":"x","id":"y"}'
    ran = run(Scripts().sh(setup()), tmp_path, [answer])
    assert (ran.status, ran.changes()) == (1, [])
    assert "Postern answers 401 to GET /api/configs" in ran.output


def test_the_key_is_no_argument(tmp_path):
    ran = run(Scripts().sh(setup()), tmp_path)
    assert (ran.seen / "config").read_text() == f'header = "Authorization: Bearer {KEY}"\n'
    assert KEY not in json.dumps([*ran.az, *ran.curl])
    assert KEY not in ran.output


def test_consent_that_is_not_given_stops_nothing(tmp_path):
    ran = run(Scripts().sh(setup()), tmp_path, CONSENT_FAILS="1")
    assert ran.status == 0
    assert "NOT GIVEN" in ran.output
    assert "active" in ran.output


def test_a_registration_that_entra_does_not_know_yet_is_waited_for(tmp_path):
    unknown = '422 {"config":"abcd2345","error":"app-unknown","description":"x","id":"y"}'
    waiting = '202 {"id":"abcd2345","name":"x","state":"awaiting-trust"}'
    ran = run(Scripts().sh(setup()), tmp_path, [*FRESH[:2], unknown, waiting, ACTIVE])
    assert ran.status == 0, ran.output
    assert [call[-1].removeprefix("https://postern.example") for call in ran.curl[2:]] == [
        "/api/configs",
        "/api/configs/abcd2345/verify",
        "/api/configs/abcd2345/verify",
    ]


def test_a_refusal_that_will_not_end_is_told_at_once(tmp_path):
    refusal = '422 {"config":"abcd2345","error":"app-disabled","description":"x","id":"y"}'
    ran = run(Scripts().sh(setup()), tmp_path, [*FRESH[:2], refusal])
    assert ran.status == 1
    assert "app-disabled" in ran.output


def test_another_kind_of_configuration_of_the_same_app_is_left_alone(tmp_path):
    config = (
        f'200 {{"configs":[{{"id":"abcd2345","name":"x","state":"active","client_id":"{APP}",'
        '"audience":"tenant","credential":"managed-identity"}]}'
    )
    ran = run(Scripts().sh(setup()), tmp_path, [config, config], **AS_IT_SHOULD_BE)
    assert ran.status == 1
    assert "is configuration abcd2345 already, with another audience" in ran.output


def test_configurations_that_are_over_or_of_other_apps_are_passed_over(tmp_path):
    """Also where another one's name tries to look like more."""
    others = (
        f'{{"id":"aaaa2345","name":"\\",\\"client_id\\":\\"{APP}\\"","state":"active",'
        f'"client_id":"{AWAY}"}},'
        f'{{"id":"bbbb2345","name":"x","state":"failed","client_id":"{APP}"}},'
        f'{{"id":"cccc2345","name":"x","state":"active","client_id":"{APP}","deleting":true}}'
    )
    answers = [FRESH[0], f'200 {{"configs":[{others}]}}', ACTIVE]
    ran = run(Scripts().sh(setup()), tmp_path, answers, **AS_IT_SHOULD_BE)
    assert ran.status == 0, ran.output
    assert ran.curl[-1][-1] == "https://postern.example/api/configs"


PEM = "-----BEGIN CERTIFICATE-----\\nMIIB+/==\\nabcd\\n-----END CERTIFICATE-----\\n"
AWAITING = (
    f'202 {{"id":"abcd2345","name":"x","state":"awaiting-trust","client_id":"{APP}",'
    '"certificate_ends":"2027-11-23T10:20:30Z","trust_to_add":{"kind":"certificate",'
    f'"certificate":"{PEM}","save_certificate_as":"postern.pem"}}}}'
)


@pytest.mark.parametrize("there", [False, True])
def test_a_certificate_is_uploaded_once(tmp_path, there):
    ran = run(
        Scripts().sh(setup(credential="certificate")),
        tmp_path,
        [*FRESH[:2], AWAITING, AWAITING, ACTIVE],
        IS_UPLOADED="key" if there else "",
    )
    assert ran.status == 0, ran.output
    uploads = [call for call in ran.changes() if "reset" in call]
    assert len(uploads) == (0 if there else 1)
    for call in uploads:
        assert {"--append", "@postern.pem", "postern-abcd2345-20271123102030"} <= set(call)
        assert (ran.seen / "postern.pem").read_text().splitlines() == PEM.split("\\n")[:-1]
    assert not any("federated-credential" in call for call in ran.az)


@pytest.mark.skipif(
    shutil.which("shellcheck") is None, reason="shellcheck is not installed (scripts/shellcheck.sh)"
)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("credential", CredentialKind)
def test_shellcheck_finds_nothing(name, credential):
    script = Scripts().sh(setup(name, credential=credential.value))
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "-"], input=script, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


# --- the page -----------------------------------------------------------------------------------


class _Read(HTMLParser):
    """Reads the page back: its tags, the text of its blocks, its style."""

    def __init__(self):
        super().__init__()
        self.tags, self.blocks, self.text, self.inside = [], [], "", None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in {"pre", "style"}:
            self.inside = tag
            self.blocks.append([tag, ""])

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.blocks[-1][1] += data
        else:
            self.text += data


def read(wanted: Setup):
    page = SetupPages().page(wanted)
    found = _Read()
    found.feed(page.html)
    return page, found


@pytest.mark.parametrize("name", HOSTILE)
def test_the_page_shows_both_scripts_and_the_name_as_they_are(name):
    wanted = setup(name)
    _, found = read(wanted)
    shown = [text for tag, text in found.blocks if tag == "pre"]
    # A newline right after <pre> belongs to the mark-up (HTML, 13.2.6.4.7).
    assert shown[0].removeprefix("\n") == Scripts().sh(wanted)
    assert shown[1].removeprefix("\n") == Scripts().powershell(wanted)
    body = json.loads(shown[2].partition("\n\n")[2])
    assert body == {"client_id": "PUT THE CLIENT ID HERE", **wanted.activation}
    assert name in found.text
    assert "script" not in {tag for tag, _ in found.tags}


def test_the_page_allows_its_own_style_and_nothing_else():
    page, found = read(setup())
    (css,) = [text for tag, text in found.blocks if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.content_security_policy
    assert page.content_security_policy.startswith("default-src 'none';")
    for tag, attributes in found.tags:
        assert not {"style", "onclick", "src"} & set(attributes), tag


def test_the_page_can_be_used_without_a_mouse_and_read_aloud():
    _, found = read(setup())
    assert ("html", {"lang": "en"}) in found.tags
    assert [tag for tag, _ in found.tags if tag in {"h1", "h2"}] == ["h1", "h2", "h2", "h2"]
    for tag, attributes in found.tags:
        if tag == "pre":
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ({}, ["Federated credentials", "Other issuer", DEPLOYMENT.principal_id], "Upload"),
        ({"tenant": AWAY}, ["Upload certificate", "trust_to_add"], "Federated"),
        ({"audience": "tenant"}, ["Accounts in this organizational directory only"], "Upload"),
    ],
)
def test_the_page_has_every_value_that_the_steps_need(query, there, not_there):
    wanted = setup(**query)
    _, found = read(wanted)
    for text in (*there, wanted.redirect_uri, wanted.tenant_id, *wanted.permissions):
        assert text in found.text, text
    for id_ in wanted.permissions.values():
        assert id_ in found.text
    assert not_there not in found.text
