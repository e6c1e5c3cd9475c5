"""What becomes of an output binding's value on its way to a queue.

The host looks into strings: one that is JSON is parsed, an array becomes one message per item and
an object is written again with indentation (FunctionBinding.ReadAsEnumerable). Text that only
looks like JSON fails the function.
"""

import json
from typing import Any

from azure.functions.meta import Datum

from local.devhost.worker_rules import converter_of


def encode(converter: str, value: Any) -> Datum:
    """Encode as the worker does: with the SDK's converter, or by the value's type for `generic`."""
    if converter == "generic":
        if isinstance(value, str):
            return Datum(value, "string")
        if isinstance(value, bytes | bytearray):
            return Datum(bytes(value), "bytes")
        if isinstance(value, list | dict):
            return Datum(json.dumps(value), "json")
    else:
        try:
            encoded = converter_of(converter).encode(value, expected_type=None)
        except NotImplementedError:
            pass
        else:
            assert isinstance(encoded, Datum)  # noqa: S101 - the SDK is untyped here
            return encoded
    msg = f"unable to encode a {type(value).__name__} for the binding {converter!r}"
    raise TypeError(msg)


def messages_of(data: Datum) -> list[bytes]:
    """Split an output's data into the messages that the host would send."""
    if data.type == "bytes":
        return [data.value]
    text = str(data.value)
    if data.type != "json" and not looks_like_json(text):
        return [text.encode()]
    value = json.loads(text)
    return [_text(item).encode() for item in (value if isinstance(value, list) else [value])]


def looks_like_json(text: str) -> bool:
    stripped = text.strip()
    return (stripped[:1], stripped[-1:]) in (("{", "}"), ("[", "]"))


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    return json.dumps(item, indent=2, ensure_ascii=False)
