"""Looks for bytes in all the vault holds, in the forms a value tends to hide in."""

import base64
from collections.abc import Iterator

from local.keyvault.items import Item
from local.keyvault.records import KeyVersion, SecretVersion
from local.keyvault.vault import Vault


def spellings(needle: bytes) -> frozenset[bytes]:
    """The bytes as they are, and the part of their base64 that no neighbour can change.

    Base64 cuts at every third byte, so a value inside a longer one has three spellings.
    """
    found = {needle}
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + needle)
        first = -(-offset * 8 // 6)
        stable = whole[first : (offset + len(needle)) * 8 // 6]
        # A few characters would be found by chance; such needles are looked for as they are.
        if len(stable) >= 8:
            found |= {stable, stable.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(found)


def search(vault: Vault, needle: bytes) -> list[str]:
    """Where any spelling of the needle is: items in every phase, and the state file."""
    looked_for = spellings(needle)
    places = [
        place
        for place, held in (*_secrets(vault), *_keys(vault))
        if any(spelling in held for spelling in looked_for)
    ]
    if vault.file is not None and vault.file.exists():
        content = vault.file.read_bytes()
        if any(spelling in content for spelling in looked_for):
            places.append("state file")
    return places


def _secrets(vault: Vault) -> Iterator[tuple[str, bytes]]:
    for item in vault.secrets.items.values():
        for held in item.versions:
            yield (
                _place("secrets", item, held),
                "\n".join(
                    (
                        item.name,
                        held.value,
                        held.content_type or "",
                        *held.tags,
                        *held.tags.values(),
                    )
                ).encode(),
            )


def _keys(vault: Vault) -> Iterator[tuple[str, bytes]]:
    for item in vault.keys.items.values():
        for held in item.versions:
            yield (
                _place("keys", item, held),
                "\n".join((item.name, *held.tags, *held.tags.values())).encode(),
            )


def _place(
    word: str, item: Item[SecretVersion] | Item[KeyVersion], held: SecretVersion | KeyVersion
) -> str:
    return f"{word}/{item.name}/{held.version} ({item.phase})"
