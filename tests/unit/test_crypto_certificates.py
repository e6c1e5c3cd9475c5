"""A certificate around a key that is elsewhere: Entra and everybody else must accept it."""

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import NameOID

from postern.crypto.certificates import Sign, _Elsewhere, self_signed

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = START + timedelta(days=365)
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signer(key: rsa.RSAPrivateKey) -> Sign:
    """Sign a digest as Key Vault does with RS256."""

    async def sign(digest: bytes) -> bytes:
        assert len(digest) == 32
        return key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))

    return sign


async def certificate(
    name: str = "Contoso abcd2345", key: rsa.RSAPrivateKey = PRIVATE
) -> x509.Certificate:
    der = await self_signed(
        public_key=PRIVATE.public_key(),
        name=name,
        serial=0x7FEDCBA9876543210,
        not_before=START,
        not_after=END,
        sign=signer(key),
    )
    return x509.load_der_x509_certificate(der)


async def test_its_signature_verifies_with_the_key_that_it_holds():
    made = await certificate()
    public = made.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers() == PRIVATE.public_key().public_numbers()
    public.verify(made.signature, made.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA256())
    made.verify_directly_issued_by(made)


async def test_it_says_what_it_was_told():
    made = await certificate()
    assert made.serial_number == 0x7FEDCBA9876543210
    assert (made.not_valid_before_utc, made.not_valid_after_utc) == (START, END)
    assert made.subject == made.issuer
    assert made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Contoso abcd2345"
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca is False


async def test_a_signature_of_another_key_is_noticed_at_once():
    with pytest.raises(InvalidSignature):
        await certificate(key=OTHER)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x" * 100, "x" * 64),
        ("é" * 100, "é" * 32),
        ("x" + "é" * 40, "x" + "é" * 31),
        ("社" * 60, "社" * 21),
        ("\N{SNAIL}" * 20, "\N{SNAIL}" * 16),
    ],
)
async def test_a_name_is_cut_to_the_64_bytes_that_a_certificate_can_hold(name, kept):
    made = await certificate(name=name)
    assert made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == kept


@pytest.mark.parametrize(
    "use",
    [
        lambda key: key.decrypt(b"", padding.PKCS1v15()),
        lambda key: key.private_numbers(),
        lambda key: key.private_bytes(None, None, None),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_the_key_that_is_not_here_does_nothing_else(use):
    key = _Elsewhere(PRIVATE.public_key(), b"")
    with pytest.raises(TypeError, match="stays there"):
        use(key)
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(key)
