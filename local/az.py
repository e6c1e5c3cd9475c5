"""An `az` for the setup script: the few commands that it calls, against the Entra stand-in.

It keeps what the stand-in does not know (tags, consents, which service principal was made) in a
file, notes every call that changes something, and stops at whatever it was not taught.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from local.control import Control

_PERMISSIONS = {
    "024d486e-b451-40bb-833d-3e66d98c5c73": "Mail.ReadWrite",
    "e383f46e-2787-4529-855e-0e479a3ffac0": "Mail.Send",
    "e1fe6dd8-ba31-4d61-89e7-88639da4683d": "User.Read",
    "7427e0e9-2fba-42fe-b0c0-848c9e6a8182": "offline_access",
    "37f7f235-527c-4136-accd-4a02d197296e": "openid",
    "14dad69e-099b-42c9-810b-d002981feec1": "profile",
    "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0": "email",
    "652390e4-393a-48de-9484-05f9b1212954": "IMAP.AccessAsUser.All",
    "258f6531-6087-4cc4-bb90-092c5fb3ed3f": "SMTP.Send",
}
_IDS = {name: id_ for id_, name in _PERMISSIONS.items()}


class Az:
    """One call."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        world = json.loads((folder / "world.json").read_text())
        self._tenant = world["tenant"]
        self._entra = Control(world["entra"], Path(world["ca"]))
        self._notes = folder / "notes.json"
        self.notes = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        self._words, self._options = _read(arguments)

    def run(self) -> str:
        """Return what is printed."""
        command = " ".join(self._words)
        if command == "rest":
            command += f" {self._options['method']}"
        return str(getattr(self, "do_" + command.replace(" ", "_").replace("-", "_"))() or "")

    def _changed(self, what: str) -> None:
        self.notes.setdefault("changes", []).append(what)
        self._notes.write_text(json.dumps(self.notes))

    def _asked(self, *queries: str) -> str:
        """Return which of the queries it is; another one nobody has tried with real JMESPath."""
        query = self._options["query"]
        _insist(query in queries, query)
        return query

    def _file(self, option: str) -> Any:
        _insist(self._options[option].startswith("@"), option)
        return json.loads(Path(self._options[option][1:]).read_text("ascii"))

    def _app(self) -> dict[str, Any]:
        found: dict[str, Any] = self._entra.get(f"apps/{self._options['id']}")
        return found

    # --- what the script calls ------------------------------------------------------------------

    def do_account_show(self) -> str:
        self._asked("tenantId")
        return str(self._tenant)

    def do_ad_app_list(self) -> str:
        self._asked("join(' ', [].appId)")
        tagged = self.notes.get("tags", {})
        return " ".join(app for app, tag in tagged.items() if f"'{tag}'" in self._options["filter"])

    def do_rest_get(self) -> str:
        self._asked("join(' ', value[].appId)")
        wanted = self._file("uri-parameters")["$filter"]
        names = self.notes.get("names", {})
        return " ".join(
            app
            for app, name in names.items()
            if wanted == "displayName eq '{}'".format(name.replace("'", "''"))
        )

    def do_rest_post(self) -> str:
        self._asked("appId")
        body = self._file("body")
        (resource,) = body["requiredResourceAccess"]
        made = self._entra.post(
            "apps",
            tenant=self._tenant,
            display_name=body["displayName"],
            audience=body["signInAudience"],
            redirect_uris=body["web"]["redirectUris"],
            delegated=[_PERMISSIONS[each["id"]] for each in resource["resourceAccess"]],
        )
        client_id = str(made["client_id"])
        self.notes.setdefault("tags", {})[client_id] = body["tags"][0]
        self.notes.setdefault("names", {})[client_id] = body["displayName"]
        self._changed("create app")
        return client_id

    def do_ad_app_show(self) -> str:
        app = self._app()
        every = {
            "signInAudience": app["signInAudience"],
            "join(' ', web.redirectUris)": " ".join(app["web"]["redirectUris"]),
            "join(' ', requiredResourceAccess[].resourceAccess[].id)": " ".join(
                _IDS[name] for name in app["delegated"]
            ),
        }
        return str(every[self._asked(*every)])

    def do_ad_app_update(self) -> None:
        self._entra.patch(f"apps/{self._options['id']}", audience=self._options["sign-in-audience"])
        self._changed("update app")

    def do_ad_app_permission_add(self) -> None:
        id_, _, kind = self._options["api-permissions"].partition("=")
        _insist(kind == "Scope", kind)
        listed = [*self._app()["delegated"], _PERMISSIONS[id_]]
        self._entra.patch(f"apps/{self._options['id']}", delegated=listed)
        self._changed("add permission")

    def do_ad_sp_list(self) -> str:
        self._asked("join(' ', [].id)")
        made = self.notes.get("principals", [])
        return "there" if any(f"'{app}'" in self._options["filter"] for app in made) else ""

    def do_ad_sp_create(self) -> None:
        self.notes.setdefault("principals", []).append(self._options["id"])
        self._changed("create service principal")

    def do_ad_app_federated_credential_list(self) -> str:
        query = self._options["query"]
        trusts = self._app()["federatedIdentityCredentials"]
        if query == "join(' ', [?name=='postern'].id)":
            return " ".join(each["id"] for each in trusts if each["name"] == "postern")
        pattern = (
            "join(' ', [?issuer=='{issuer}' && subject=='{subject}' && audiences[0]=='{first}']"
            ".name)"
        )
        return " ".join(
            each["name"]
            for each in trusts
            if query == pattern.format(**each, first=each["audiences"][0])
        )

    def do_ad_app_federated_credential_create(self) -> None:
        self._entra.post(f"apps/{self._options['id']}/federations", **self._file("parameters"))
        self._changed("create federated credential")

    def do_ad_app_permission_list_grants(self) -> str:
        self._asked("join(' ', [?consentType=='AllPrincipals'].scope)")
        return " ".join(self.notes.get("consents", {}).get(self._options["id"], []))

    def do_ad_app_permission_admin_consent(self) -> None:
        self.notes.setdefault("consents", {})[self._options["id"]] = self._app()["delegated"]
        self._changed("consent")

    def do_ad_app_credential_list(self) -> str:
        query = self._options["query"]
        return " ".join(
            each["keyId"]
            for each in self._app()["keyCredentials"]
            if query == f"join(' ', [?displayName=='{each['displayName']}'].keyId)"
        )

    def do_ad_app_credential_reset(self) -> None:
        """Without --append az would remove every password, without --cert it would make one."""
        _insist("append" in self._options, "reset without --append")
        pem = Path(self._options["cert"].removeprefix("@")).read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        self._entra.post(
            f"apps/{self._options['id']}/certificates",
            key=base64.b64encode(der).decode(),
            display_name=self._options["display-name"],
        )
        self._changed("upload certificate")


def _insist(fact: bool, what: str) -> None:
    if not fact:
        msg = f"az was not taught this: {what}"
        raise SystemExit(msg)


def _read(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    words, options, name = [], {}, ""
    for argument in arguments:
        if argument.startswith("--"):
            name = argument[2:]
            options[name] = ""
        elif name:
            options[name], name = argument, ""
        else:
            words.append(argument)
    return words, options


if __name__ == "__main__":
    printed = Az(Path(sys.argv[1]), sys.argv[2:]).run()
    if printed:
        print(printed)
