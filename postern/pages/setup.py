"""The one page for admins: how to set up an app registration, by a script or by hand.

It is no owner's page, so it may say Postern; else it follows the same rules: no script, nothing
from elsewhere, a policy that allows its own style and nothing more.
"""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from postern.model.config import Audience
from postern.model.setup import Setup
from postern.model.trust import CREDENTIAL_NAME
from postern.pages import Branding, Page, policy, style
from postern.pages.scripts import Scripts

_HERE = Path(__file__).parent

# As the portal words them.
_ACCOUNT_TYPES = {
    Audience.ORGANIZATIONS: "Accounts in any organizational directory",
    Audience.TENANT: "Accounts in this organizational directory only",
}


class SetupPages:
    """Renders a setup: as the page, or as one of its scripts."""

    def __init__(self) -> None:
        self.scripts = Scripts()
        self._style = style(Branding(product="").accent) + (_HERE / "setup.css").read_text("utf-8")
        self._template = Environment(
            loader=FileSystemLoader(_HERE / "templates" / "setup", encoding="utf-8"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        ).get_template("setup.html")

    def page(self, setup: Setup) -> Page:
        """Return the page."""
        html = self._template.render(
            # Our own files and checked colours: the only text that is not escaped.
            style=Markup(self._style),  # noqa: S704
            setup=setup,
            values=_values(setup),
            account_types=_ACCOUNT_TYPES[setup.audience],
            call=_call(setup),
            sh=self.scripts.sh(setup),
            powershell=self.scripts.powershell(setup),
        )
        return Page(html=html, content_security_policy=policy(self._style))


def _values(setup: Setup) -> list[tuple[str, str]]:
    values = [("Name", setup.name), ("Redirect URI (platform Web)", setup.redirect_uri)]
    if setup.federation is not None:
        deployment = setup.deployment
        values += [
            ("Issuer", deployment.issuer),
            ("Subject identifier", deployment.principal_id),
            ("Name of the credential", CREDENTIAL_NAME),
            ("Audience", deployment.exchange_audience),
        ]
    return values


def _call(setup: Setup) -> str:
    body = json.dumps({"client_id": "PUT THE CLIENT ID HERE", **setup.activation}, indent=2)
    return (
        f"POST {setup.base_url}/api/configs\n"
        "Authorization: Bearer YOUR ADMIN KEY\n"
        f"Content-Type: application/json\n\n{body}"
    )
