"""What a refusal of Entra means: the error decides, the number refines, nothing unknown kills."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.entra.errors import Refused
from postern.errors import ProviderRefused
from postern.model.explanations import EXPLANATIONS, explain
from postern.model.failure import _ERRORS, _NUMBERS, Failure, FailureClass, classify

APP, GRANT, ACCOUNT = FailureClass.APP, FailureClass.GRANT, FailureClass.ACCOUNT
TRANSIENT, UNKNOWN = FailureClass.TRANSIENT, FailureClass.UNKNOWN

# With which OAuth errors Entra is known to send a number, and what then has to happen.
CASES: list[tuple[int, str, FailureClass, str]] = [
    (7000215, "invalid_client", APP, "credential-wrong"),
    (7000222, "invalid_client", APP, "credential-expired"),
    (7000218, "invalid_client", APP, "credential-missing"),
    (7000218, "invalid_request", APP, "credential-missing"),
    (700016, "unauthorized_client", APP, "app-unknown"),
    (700016, "invalid_client", APP, "app-unknown"),
    (700027, "invalid_client", APP, "certificate-unknown"),
    (50012, "invalid_client", APP, "certificate-unknown"),
    (700030, "invalid_client", APP, "certificate-unknown"),
    (7000112, "unauthorized_client", APP, "app-disabled"),
    (70001, "unauthorized_client", APP, "app-disabled"),
    (7000229, "invalid_client", APP, "app-not-in-tenant"),
    (7000229, "unauthorized_client", APP, "app-not-in-tenant"),
    (70021, "invalid_request", APP, "trust-not-replicated"),
    (70021, "invalid_client", APP, "trust-not-replicated"),
    (700211, "invalid_client", APP, "trust-mismatch"),
    (700211, "invalid_request", APP, "trust-mismatch"),
    (7002121, "invalid_client", APP, "trust-mismatch"),
    (700213, "invalid_client", APP, "trust-mismatch"),
    (700236, "invalid_client", APP, "trust-other-tenant"),
    (50194, "invalid_request", APP, "audience-wrong"),
    (90002, "invalid_request", APP, "tenant-unknown"),
    (90002, "invalid_tenant", APP, "tenant-unknown"),
    (900023, "invalid_request", APP, "tenant-malformed"),
    (9001023, "invalid_request", APP, "tenant-malformed"),
    (9001023, "invalid_grant", APP, "tenant-malformed"),
    (700082, "invalid_grant", GRANT, "idle-too-long"),
    (70008, "invalid_grant", GRANT, "idle-too-long"),
    (50173, "invalid_grant", GRANT, "revoked"),
    (700084, "invalid_grant", GRANT, "redirect-not-web"),
    (70043, "invalid_grant", GRANT, "sign-in-frequency"),
    (50072, "interaction_required", GRANT, "sign-in-again"),
    (50074, "interaction_required", GRANT, "sign-in-again"),
    (50076, "interaction_required", GRANT, "sign-in-again"),
    (50076, "invalid_grant", GRANT, "sign-in-again"),
    (50078, "invalid_grant", GRANT, "sign-in-again"),
    (50079, "interaction_required", GRANT, "sign-in-again"),
    (65001, "invalid_grant", GRANT, "consent-missing"),
    (65001, "interaction_required", GRANT, "consent-missing"),
    (65001, "consent_required", GRANT, "consent-missing"),
    (70000, "invalid_grant", GRANT, "grant-invalid"),
    (50057, "invalid_grant", ACCOUNT, "account-disabled"),
    (50034, "invalid_grant", ACCOUNT, "account-gone"),
    (51004, "invalid_grant", ACCOUNT, "account-gone"),
    (53000, "interaction_required", ACCOUNT, "blocked-by-policy"),
    (53001, "interaction_required", ACCOUNT, "blocked-by-policy"),
    (53002, "interaction_required", ACCOUNT, "blocked-by-policy"),
    (53003, "interaction_required", ACCOUNT, "blocked-by-policy"),
    (53003, "invalid_grant", ACCOUNT, "blocked-by-policy"),
    (530032, "invalid_grant", ACCOUNT, "blocked-by-policy"),
    (50196, "invalid_grant", TRANSIENT, "request-loop"),
    (90055, "temporarily_unavailable", TRANSIENT, "throttled"),
    (90055, "invalid_request", TRANSIENT, "throttled"),
    (50033, "temporarily_unavailable", TRANSIENT, "entra-unavailable"),
    (50087, "server_error", TRANSIENT, "entra-unavailable"),
    (90006, "server_error", TRANSIENT, "entra-unavailable"),
    (90012, "temporarily_unavailable", TRANSIENT, "entra-unavailable"),
    (90024, "temporarily_unavailable", TRANSIENT, "entra-unavailable"),
    (90033, "temporarily_unavailable", TRANSIENT, "entra-unavailable"),
    (90033, "invalid_grant", TRANSIENT, "entra-unavailable"),
    (90090, "temporarily_unavailable", TRANSIENT, "entra-unavailable"),
]
ANY_ERROR = st.sampled_from(sorted(_ERRORS)) | st.text(max_size=20)
ANY_NUMBER = st.none() | st.sampled_from(sorted(_NUMBERS)) | st.integers(min_value=0)
ANY_STATUS = st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500, 502, 503, 504])


def meaning(error: str, number: int | None = None, status: int = 400) -> Failure:
    return classify(ProviderRefused(error=error, status=status, number=number))


@pytest.mark.parametrize(("number", "error", "kind", "cause"), CASES)
def test_a_number_refines_the_error_that_it_comes_with(number, error, kind, cause):
    assert meaning(error, number) == Failure(kind=kind, cause=cause, number=number)


def test_no_number_of_the_table_is_without_a_case():
    assert {number for number, *_ in CASES} == set(_NUMBERS)


def test_the_table_agrees_with_the_errors_that_the_stand_in_sends():
    """A number that the table has means the same under the stand-in's error as by itself."""
    for number, (kind, cause) in _NUMBERS.items():
        sent = Refused(number)
        if sent.text.startswith("Refused by an injected"):
            continue  # the stand-in does not know it
        assert meaning(sent.error, number, sent.status).kind is kind, number
        assert meaning(sent.error, number, sent.status).cause == cause, number


@pytest.mark.parametrize(
    ("error", "kind", "cause"),
    [
        ("invalid_client", APP, "credential-refused"),
        ("unauthorized_client", APP, "app-refused"),
        ("invalid_tenant", APP, "tenant-unknown"),
        ("invalid_request", UNKNOWN, "request-refused"),
        ("invalid_grant", GRANT, "grant-invalid"),
        ("interaction_required", GRANT, "sign-in-again"),
        ("consent_required", GRANT, "consent-missing"),
        ("login_required", GRANT, "sign-in-again"),
        ("temporarily_unavailable", TRANSIENT, "entra-unavailable"),
        ("server_error", TRANSIENT, "entra-unavailable"),
    ],
)
@pytest.mark.parametrize("number", [None, 0, 1, 99999999])
def test_without_a_number_that_we_know_the_error_says_all(error, kind, cause, number):
    assert meaning(error, number) == Failure(kind=kind, cause=cause, number=number)


@pytest.mark.parametrize(
    ("error", "number", "kind", "cause"),
    [
        # A mailbox's number under an error of the app must not end the mailbox...
        ("invalid_client", 700082, APP, "credential-refused"),
        ("unauthorized_client", 50057, APP, "app-refused"),
        ("temporarily_unavailable", 50173, TRANSIENT, "entra-unavailable"),
        ("server_error", 65001, TRANSIENT, "entra-unavailable"),
        ("invalid_request", 700082, UNKNOWN, "request-refused"),
        # ...nor must the app's number under an error of the mailbox open the app's breaker.
        ("interaction_required", 7000215, GRANT, "sign-in-again"),
        ("consent_required", 700016, GRANT, "consent-missing"),
        ("login_required", 90033, GRANT, "sign-in-again"),
    ],
)
def test_the_error_wins_over_a_number_that_does_not_belong_to_it(error, number, kind, cause):
    assert meaning(error, number) == Failure(kind=kind, cause=cause, number=number)


@pytest.mark.parametrize(
    "error", ["", "unknown", "access_denied", "invalid_scope", "INVALID_GRANT"]
)
@pytest.mark.parametrize("number", [None, 700082, 7000215, 50057])
def test_an_error_that_nobody_knows_is_unknown_whatever_its_number(error, number):
    assert meaning(error, number) == Failure(kind=UNKNOWN, cause="unknown", number=number)


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "unknown"])
@pytest.mark.parametrize(
    ("status", "cause"),
    [(429, "throttled"), (500, "entra-unavailable"), (503, "entra-unavailable")],
)
def test_a_busy_or_broken_entra_is_the_weather_whatever_it_says(error, status, cause):
    assert meaning(error, 700082, status) == Failure(kind=TRANSIENT, cause=cause, number=700082)


@given(ANY_ERROR, ANY_NUMBER, ANY_STATUS)
def test_only_an_error_about_the_grant_ends_or_parks_one(error, number, status):
    kind = meaning(error, number, status).kind
    if kind in {GRANT, ACCOUNT}:
        assert error in {
            *("invalid_grant", "interaction_required", "consent_required", "login_required"),
        }
        assert status < 500
        assert status != 429


@given(ANY_ERROR, ANY_NUMBER, ANY_STATUS)
def test_every_cause_has_its_explanation(error, number, status):
    assert explain(meaning(error, number, status).cause)


def test_every_explanation_says_what_happened_and_what_to_do():
    causes = {cause for _, cause in (*_NUMBERS.values(), *_ERRORS.values())} | {"unknown"}
    assert causes <= set(EXPLANATIONS)
    for told in EXPLANATIONS.values():
        assert told.cause.endswith(".")
        assert told.repair.endswith(".")
        assert str(told) == f"{told.cause} {told.repair}"
