"""Client assertions: one signature for all mailboxes, renewed before its end."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from postern.errors import Unavailable
from postern.model.config import Config
from postern.services.assertions import Assertions
from tests.fakes import CERTIFICATE, CLIENT_ID, HOME, FakeWorld

OWN_TIMES = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


@pytest.fixture
def assertions(world: FakeWorld) -> Assertions:
    return Assertions(world.keys, world.identity, world.provider, world.clock)


@pytest.fixture
async def certified(world: FakeWorld, assertions: Assertions) -> Config:
    """Return a config whose credential is a certificate."""
    certificate = await assertions.new_certificate("Agency")
    config = await world.active()
    return replace(config, credential=CERTIFICATE, certificate=certificate)


async def test_sixty_four_refreshes_at_once_cost_one_signature(
    world: FakeWorld, assertions: Assertions, certified: Config
):
    before = world.tape.count("keys.sign")
    made = await asyncio.gather(*(assertions.current(certified) for _ in range(64)))
    assert world.tape.count("keys.sign") == before + 1
    assert len({each.reveal() for each in made}) == 1


async def test_an_assertion_is_renewed_a_minute_before_its_end(
    world: FakeWorld, assertions: Assertions, certified: Config
):
    first = await assertions.current(certified)
    world.clock.advance(seconds=9 * 60 - 1)
    assert await assertions.current(certified) == first
    world.clock.advance(seconds=1)
    second = await assertions.current(certified)
    assert second != first
    claims = jwt.decode(second.reveal(), options={"verify_signature": False})
    assert claims["exp"] - world.clock.now().timestamp() == 600


async def test_a_failed_signature_is_not_remembered(
    world: FakeWorld, assertions: Assertions, certified: Config
):
    world.tape.fail("keys.sign")
    with pytest.raises(Unavailable):
        await assertions.current(certified)
    assert await assertions.current(certified)


async def test_the_identitys_token_is_shared_and_renewed(world: FakeWorld, assertions: Assertions):
    config = await world.active()
    asked = world.tape.count("identity.*")
    first = await assertions.current(config)
    assert await assertions.current(config) == first
    assert world.tape.count("identity.*") == asked + 1
    world.clock.advance(world.identity.life - timedelta(minutes=1))
    assert await assertions.current(config) != first


async def test_each_authority_gets_an_assertion_of_its_own(
    assertions: Assertions, certified: Config
):
    """Its audience is the endpoint that is asked: one made for the tenant fails elsewhere."""
    made = [await assertions.current(certified), await assertions.current(certified, HOME)]
    audiences = [
        jwt.decode(each.reveal(), options={"verify_signature": False})["aud"] for each in made
    ]
    assert audiences == [
        f"https://login.microsoftonline.com/{authority}/oauth2/v2.0/token"
        for authority in ("organizations", HOME)
    ]


async def test_an_assertion_verifies_with_the_certificate_that_it_names(
    world: FakeWorld, assertions: Assertions, certified: Config
):
    assertion = (await assertions.current(certified)).reveal()
    assert certified.certificate is not None
    der = base64.b64decode(certified.certificate.der)
    header = jwt.get_unverified_header(assertion)
    named = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert (header["alg"], header["x5t#S256"]) == ("PS256", named)
    claims = jwt.decode(
        assertion,
        x509.load_der_x509_certificate(der).public_key(),  # type: ignore[arg-type]
        algorithms=["PS256"],
        audience=world.provider.token_endpoint("organizations"),
        options=OWN_TIMES,  # type: ignore[arg-type]
    )
    assert claims["iss"] == claims["sub"] == CLIENT_ID
    assert claims["jti"]
    assert claims["nbf"] <= world.clock.now().timestamp() < claims["exp"]


async def test_a_certificate_is_self_signed_around_the_vaults_key(
    world: FakeWorld, assertions: Assertions
):
    made = await assertions.new_certificate("Agency")
    parsed = x509.load_der_x509_certificate(base64.b64decode(made.der))
    parsed.verify_directly_issued_by(parsed)
    (newest, *_) = await world.keys.public_keys("client-assertion")
    assert parsed.public_key().public_numbers() == newest.key.public_numbers()  # type: ignore[union-attr]
    assert made.key_version == newest.version
    assert (parsed.not_valid_before_utc, parsed.not_valid_after_utc) == (
        made.not_before,
        made.not_after,
    )
    assert made.not_before < world.clock.now() < made.not_after
    (common_name,) = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert common_name.value == "Agency"


@pytest.mark.parametrize("name", ["ä" * 60, "株式会社" * 15, "a" * 200], ids=["ä", "株", "a"])
async def test_a_name_of_any_length_and_script_makes_a_certificate(
    assertions: Assertions, name: str
):
    made = await assertions.new_certificate(name)
    x509.load_der_x509_certificate(base64.b64decode(made.der))


async def test_two_certificates_have_two_serial_numbers(assertions: Assertions):
    serials = {
        x509.load_der_x509_certificate(
            base64.b64decode((await assertions.new_certificate("x")).der)
        ).serial_number
        for _ in range(2)
    }
    assert len(serials) == 2


async def test_after_a_rotation_the_certificates_own_key_goes_on_signing(
    world: FakeWorld, assertions: Assertions, certified: Config
):
    world.keys.rotate("client-assertion")
    assertion = (await assertions.current(certified)).reveal()
    assert certified.certificate is not None
    der = base64.b64decode(certified.certificate.der)
    jwt.decode(
        assertion,
        x509.load_der_x509_certificate(der).public_key(),  # type: ignore[arg-type]
        algorithms=["PS256"],
        audience=world.provider.token_endpoint("organizations"),
        options=OWN_TIMES,  # type: ignore[arg-type]
    )
