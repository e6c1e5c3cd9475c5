"""Which token serves which protocol, and what an answer's scopes allow."""

import pytest

from postern.model.scopes import (
    GRAPH,
    OUTLOOK,
    RESOURCE_OF,
    SCOPES_OF,
    Protocol,
    Resource,
    granted,
    resources,
    scopes,
)

SMTP, IMAP, BY_GRAPH = Protocol.SMTP, Protocol.IMAP, Protocol.GRAPH
EVERY = (SMTP, IMAP, BY_GRAPH)
SMTP_SCOPE = OUTLOOK + "SMTP.Send"
IMAP_SCOPE = OUTLOOK + "IMAP.AccessAsUser.All"
GRAPH_SCOPES = tuple(GRAPH + name for name in ("Mail.Send", "Mail.ReadWrite", "User.Read"))


def test_every_protocol_has_a_resource_and_scopes_of_that_resource_only():
    prefixes = {Resource.OUTLOOK: OUTLOOK, Resource.GRAPH: GRAPH}
    assert set(RESOURCE_OF) == set(SCOPES_OF) == set(Protocol)
    for protocol in Protocol:
        assert SCOPES_OF[protocol]
        for scope in SCOPES_OF[protocol]:
            assert scope.startswith(prefixes[RESOURCE_OF[protocol]])


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        ((), ()),
        ((IMAP, SMTP), (Resource.OUTLOOK,)),
        ((BY_GRAPH, SMTP), (Resource.OUTLOOK, Resource.GRAPH)),
        ((BY_GRAPH,), (Resource.GRAPH,)),
    ],
)
def test_resources_come_once_and_in_a_stable_order(protocols, expected):
    assert resources(protocols) == expected
    assert resources(reversed(protocols)) == expected


def test_an_authorize_request_asks_for_all_scopes_and_a_token_request_for_one_resource():
    assert scopes((BY_GRAPH, SMTP, IMAP)) == (SMTP_SCOPE, IMAP_SCOPE, *GRAPH_SCOPES)
    assert scopes(EVERY, Resource.OUTLOOK) == (SMTP_SCOPE, IMAP_SCOPE)
    assert scopes(EVERY, Resource.GRAPH) == GRAPH_SCOPES
    assert scopes((SMTP,), Resource.GRAPH) == ()


def test_protocols_may_be_read_only_once():
    assert scopes(iter(EVERY[:1])) == (SMTP_SCOPE,)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ()),
        ((SMTP_SCOPE,), (SMTP,)),
        ((SMTP_SCOPE.upper(), IMAP_SCOPE.lower()), (SMTP, IMAP)),
        (("Mail.Send", "mail.readwrite", "User.Read", "openid", "profile"), (BY_GRAPH,)),
        (GRAPH_SCOPES, (BY_GRAPH,)),
        (("Mail.Send", "User.Read"), ()),
        (("Mail.Send", "Mail.ReadWrite"), ()),
        # Graph's short names stand for Graph: nothing of Outlook is ever granted by one.
        (("SMTP.Send", "IMAP.AccessAsUser.All"), ()),
        ((GRAPH + "SMTP.Send",), ()),
        (("https://evil.example/SMTP.Send", SMTP_SCOPE + "x", "x" + SMTP_SCOPE), ()),
    ],
)
def test_a_protocol_is_granted_when_every_one_of_its_scopes_is(given, expected):
    assert granted(EVERY, given) == expected
    assert granted(EVERY, iter(given)) == expected


def test_what_was_not_asked_for_is_not_granted():
    assert granted((IMAP,), (SMTP_SCOPE, IMAP_SCOPE, *GRAPH_SCOPES)) == (IMAP,)
