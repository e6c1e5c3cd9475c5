"""A stand-in for the Azure CLI: the few commands that scripts/hooks use, as strictly as they need.

`az rest` is the real thing as far as the hooks rely on it: headers and bodies from files, JMESPath
shapes of JMESPath, status 1 with reason and body on stderr when the answer is an error.
"""

import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

_FIRST = re.compile(r"configs\[\?client_id == '([^']+)'\] \| \[0\]\.id")


def main(arguments: list[str]) -> int:
    with Path(os.environ["AZ_CALLS"]).open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    words = [each for each in arguments if not each.startswith("-")]
    options = _options(arguments)
    if arguments[0] == "rest":
        return _rest(options)
    if words[:3] == ["functionapp", "keys", "list"]:
        print(os.environ["AZ_FUNCTION_KEY"])
    elif words[:2] == ["keyvault", "list-deleted"]:
        print(os.environ.get("AZ_DELETED", ""), end="")
    elif words[:2] == ["group", "exists"]:
        print("false")
    elif words[:2] == ["keyvault", "recover"]:
        sys.stdin.read()  # a hook that shares its input with us would lose its list here
        return int(os.environ.get("AZ_RECOVER", "0"))
    elif words[:2] != ["group", "create"]:
        sys.exit(f"az: not known here: {arguments}")
    return 0


def _rest(options: dict[str, list[str]]) -> int:
    headers = json.loads(_file(options["headers"][0]))
    body = _file(options["body"][0]) if "body" in options else None
    assert "skip-authorization-header" in options, "the CLI's own token must not leave Azure"
    url = options["url"][0]
    if parameters := options.get("uri-parameters"):
        pairs = [(name, value) for name, _, value in (each.partition("=") for each in parameters)]
        url += "?" + urllib.parse.urlencode(pairs)
    request = urllib.request.Request(  # noqa: S310 - the stack's own address
        url, data=body, method=options["method"][0].upper(), headers=headers
    )
    trust = ssl.create_default_context(cafile=os.environ["AZ_CA"])
    try:
        with urllib.request.urlopen(request, context=trust) as answer:  # noqa: S310
            content = answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            print(f"ERROR: {exc.reason}({exc.read().decode()})", file=sys.stderr)
        return 1
    if "output-file" in options:
        Path(options["output-file"][0]).write_bytes(content)
        return 0
    found = _query(json.loads(content), options["query"][0])
    print("" if found is None else found)
    return 0


def _query(value: Any, query: str) -> Any:
    if match := _FIRST.fullmatch(query):
        ids = [each["id"] for each in value["configs"] if each["client_id"] == match[1]]
        return ids[0] if ids else None
    assert query.isalpha(), query
    return value.get(query)


def _file(argument: str) -> bytes:
    assert argument.startswith("@"), "what is secret goes through a file"
    return Path(argument[1:]).read_bytes()


def _options(arguments: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for each in arguments:
        if each.startswith("--"):
            options[each[2:]] = values = []
        elif options:
            values.append(each)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
