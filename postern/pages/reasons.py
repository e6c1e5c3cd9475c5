"""Every way in which connecting a mailbox ends without one, told to its owner.

One row a reason: what happened, who can put it right, and how. `{product}` stands for who asks and
never begins a sentence. Microsoft's own error texts are never shown: they name numbers, not ways
out.
"""

from dataclasses import dataclass, replace

YOU = "You"
YOUR_ADMINISTRATOR = "Your organisation’s IT administrator"
YOU_OR_ADMINISTRATOR = "You, or your organisation’s IT administrator"
SENDER = "{product}"
NOBODY = "Nobody needs to, it usually passes by itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A row: the page's words, its HTTP status, and the labels of facts that `detail` may bring."""

    status: int
    title: str
    happened: str
    who: str
    how: str
    facts: tuple[tuple[str, str], ...] = ()

    def told(self, product: str) -> "Reason":
        """Return the row with *product* in its place."""
        who = self.who.format(product=product)
        return replace(
            self,
            title=self.title.format(product=product),
            happened=self.happened.format(product=product),
            who=who[:1].upper() + who[1:] if self.who == SENDER else who,
            how=self.how.format(product=product),
        )


_SIGNED_IN_WITH = ("actual", "You signed in with")

REASONS: dict[str, Reason] = {
    # The link itself
    "link-unknown": Reason(
        status=404,
        title="This link does not work",
        happened="It may have been cut off when it was copied, or broken across two lines in the "
        "message that brought it.",
        who=YOU,
        how="Open the link from the original message again, or copy the whole of it. If that does "
        "not help, ask {product} for a new one.",
    ),
    "link-expired": Reason(
        status=410,
        title="This link has expired",
        happened="A link like this works for a limited time, and that time is over. Nothing was "
        "changed.",
        who=SENDER,
        how="Ask {product} to send you a new link.",
    ),
    "link-used": Reason(
        status=410,
        title="This link has already been used",
        happened="It has connected every mailbox that it was made for. If that was you, all is "
        "well: your mailbox is connected, and there is nothing left to do.",
        who=SENDER,
        how="If you still have a mailbox to connect, ask {product} to send you a new link.",
    ),
    "link-withdrawn": Reason(
        status=410,
        title="This link has been switched off",
        happened="It was withdrawn by {product} and can no longer be used. Nothing was changed.",
        who=SENDER,
        how="If you expected it to work, ask {product} to send you a new link.",
    ),
    # The configuration behind it
    "config-paused": Reason(
        status=503,
        title="Connecting is paused",
        happened="For the moment, {product} accepts no new mailboxes. Nothing is wrong with your "
        "link or your account.",
        who=SENDER,
        how="Try the same link again later, or ask {product} when it will work again.",
    ),
    "not-ready": Reason(
        status=503,
        title="Mailboxes cannot be connected yet",
        happened="The connection between {product} and Microsoft is not set up completely. Nothing "
        "is wrong with your link or your account.",
        who=SENDER,
        how="Try the same link again later. If it still does not work, tell {product}.",
    ),
    "app-fault": Reason(
        status=502,
        title="The connection to Microsoft needs a repair",
        happened="Microsoft does not accept the app that connects mailboxes to {product}. This is "
        "not your fault, and trying again will not help until it is repaired.",
        who=SENDER,
        how="Please tell {product} what this page says, and use your link again when you hear that "
        "it is repaired.",
    ),
    # What the owner or their organisation decided
    "declined": Reason(
        status=200,
        title="Nothing was connected",
        happened="The sign-in or the permissions were cancelled at Microsoft, so {product} was not "
        "given access to your mailbox.",
        who=YOU,
        how="If you meant to say no, you are done and can close this page. If not, start again.",
    ),
    "admin-approval-needed": Reason(
        status=403,
        title="Your administrator has to approve this first",
        happened="In your organisation, only an administrator may let an app use mailboxes. That "
        "is a common rule; nothing is wrong with your account.",
        who=YOUR_ADMINISTRATOR,
        how="Ask your IT administrator to approve the app that connects mailboxes to {product}. "
        "Then open your own link again: needing an approval does not use it up.",
    ),
    "wrong-account": Reason(
        status=403,
        title="Please use the other account",
        happened="You signed in with an account that this link was not made for. Nothing was "
        "stored or changed.",
        who=YOU,
        how="Start again and choose the right account at Microsoft. If it is not in the list, "
        "choose “Use another account”. If you did choose the right one, tell {product}: the link "
        "may have been made for an old address.",
        facts=(("expected", "This link is for"), _SIGNED_IN_WITH),
    ),
    "address-taken": Reason(
        status=409,
        title="This address is already connected",
        happened="Another account with the same e-mail address is connected to {product}. It was "
        "left as it is.",
        who=SENDER,
        how="Ask {product} to disconnect the earlier one if it is no longer yours, then use your "
        "link again.",
    ),
    "account-not-allowed": Reason(
        status=403,
        title="Accounts of your organisation cannot be connected here",
        happened="Only accounts of certain organisations can be connected to {product}, and yours "
        "is not among them. Nothing was stored or changed.",
        who=SENDER,
        how="If you have an account in another organisation for this, start again with that one. "
        "Otherwise ask {product} whether your organisation can be added.",
        facts=(_SIGNED_IN_WITH,),
    ),
    "not-assigned": Reason(
        status=403,
        title="Your organisation has not given you this app yet",
        happened="The app that connects mailboxes to {product} is limited to people whom your "
        "administrator has chosen, and you are not among them yet.",
        who=YOUR_ADMINISTRATOR,
        how="Ask your IT administrator to assign the app to you. Then open your link again.",
        facts=(_SIGNED_IN_WITH,),
    ),
    "blocked-by-policy": Reason(
        status=403,
        title="A rule of your organisation stopped the sign-in",
        happened="Your organisation allows this only under certain conditions, for example from a "
        "company device or from the office network.",
        who=YOU_OR_ADMINISTRATOR,
        how="Open your link again on your company device or network. If it is stopped there too, "
        "show this page to your IT administrator.",
    ),
    "account-disabled": Reason(
        status=403,
        title="This account is switched off",
        happened="Microsoft says that the account you chose has been disabled, so it cannot sign "
        "in.",
        who=YOUR_ADMINISTRATOR,
        how="Ask your IT administrator to switch the account on, or start again with another one.",
        facts=(_SIGNED_IN_WITH,),
    ),
    "no-mailbox": Reason(
        status=403,
        title="This account has no mailbox",
        happened="You signed in, but the account has no Outlook mailbox at Microsoft 365 that "
        "could be connected.",
        who=YOU_OR_ADMINISTRATOR,
        how="Start again with the account whose mail you read in Outlook. If this is that account, "
        "ask your IT administrator whether it has a mailbox licence.",
        facts=(_SIGNED_IN_WITH,),
    ),
    "permissions-missing": Reason(
        status=403,
        title="Some permissions are missing",
        happened="You signed in, but Microsoft did not give {product} every permission that was "
        "asked for. Without them the mailbox cannot be connected.",
        who=YOU_OR_ADMINISTRATOR,
        how="Start again and agree to everything that Microsoft’s page asks for. If it does not "
        "ask, show this page to your IT administrator. If you would rather not agree, close this "
        "page.",
    ),
    # A sign-in that cannot be finished
    "state-unknown": Reason(
        status=400,
        title="This sign-in cannot be finished",
        happened="It is not one that was begun here. That happens when an old page is opened from "
        "the history or from a bookmark.",
        who=YOU,
        how="Open your link again and start from there.",
    ),
    "state-expired": Reason(
        status=400,
        title="The sign-in took too long",
        happened="For your safety, a sign-in has to be finished within a few minutes. Nothing was "
        "changed.",
        who=YOU,
        how="Open your link again and start from there.",
    ),
    "state-used": Reason(
        status=400,
        title="This sign-in is already over",
        happened="Microsoft’s answer came a second time, and only the first one counts. That "
        "happens when a page is loaded again.",
        who=YOU,
        how="If a page told you that your mailbox is connected, you are done. If not, open your "
        "link again.",
    ),
    "other-browser": Reason(
        status=400,
        title="Please finish in the browser where you began",
        happened="This sign-in was begun in another browser or on another device, or your browser "
        "did not keep a cookie that it needs. To protect you, it was stopped.",
        who=YOU,
        how="Open your link again in this browser and stay in it until the end. If somebody sent "
        "you to this page, close it.",
    ),
    "sign-in-failed": Reason(
        status=400,
        title="The sign-in did not work",
        happened="Microsoft could not finish it. Your mailbox was not connected.",
        who=YOU,
        how="Start again. If it fails a second time, tell {product} what this page says.",
    ),
    "cookies-blocked": Reason(
        status=403,
        title="Please open your link once more",
        happened="The button works only together with a small cookie, and your browser did not "
        "send it. The page was open for too long, or cookies are blocked.",
        who=YOU,
        how="Allow cookies for this site, then open your link again.",
    ),
    "cross-site": Reason(
        status=403,
        title="This did not start from your link",
        happened="The request came from another website. To protect you, it was refused and "
        "nothing was changed.",
        who=YOU,
        how="Open the link from the message that you received, and use the button there.",
    ),
    # What passes by itself
    "temporarily-unavailable": Reason(
        status=503,
        title="Please try again in a few minutes",
        happened="A service that is needed for this does not answer right now. Nothing was lost.",
        who=NOBODY,
        how="Wait a few minutes, then open your link again.",
    ),
    "throttled": Reason(
        status=429,
        title="Too many people at once",
        happened="More sign-ins are arriving than can be handled right now. Nothing was lost.",
        who=NOBODY,
        how="Wait a minute, then open your link again.",
    ),
}
