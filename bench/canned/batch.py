"""Transactions of the table service: a multipart message of requests, done all or none."""

from urllib.parse import urlsplit

from bench.canned.http import Request, Response, header_fields
from bench.canned.tables import Key, Refused, Step, Tables

_PART = (
    "--changesetresponse\r\nContent-Type: application/http\r\n"
    "Content-Transfer-Encoding: binary\r\n\r\n"
)
_HEADERS = {
    "Content-Type": "multipart/mixed; boundary=batchresponse",
    "x-ms-version": "2019-02-02",
    "Cache-Control": "no-cache",
}


def transact(tables: Tables, account: str, request: Request) -> Response:
    """Answer a transaction."""
    steps: list[Step] = []
    try:
        for part in _parts(request.body):
            path = urlsplit(part.target).path.removeprefix(f"/{account}/")
            steps.append(tables.step(part.method, path, part.headers, part.body))
        _same_partition(steps)
        for step in steps:
            tables.check(step)
    except Refused as refused:
        body = refused.body(f"{max(0, len(steps) - 1)}:").decode()
        head = f"HTTP/1.1 {refused.status} Refused\r\nContent-Type: application/json\r\n\r\n"
        return _message([f"{_PART}{head}{body}\r\n"])
    return _message([_done(tables.apply(step)) for step in steps])


def _parts(body: bytes) -> list[Request]:
    """Return the requests inside: whatever follows a part's own head."""
    text = body.decode()
    boundary = text.partition("boundary=")[2].partition("\r\n")[0].strip('"; ')
    found = []
    for part in text.split(f"--{boundary}\r\n")[1:]:
        _, _, message = part.partition("\r\n\r\n")
        head, _, content = message.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        content = content.partition(f"\r\n--{boundary}")[0].rstrip("\r\n")
        found.append(Request(method, target, header_fields(lines), content.encode()))
    return found


def _same_partition(steps: list[Step]) -> None:
    keys: list[Key] = [step.key for step in steps]
    if len({key[:2] for key in keys}) != 1:
        raise Refused(400, "CommandsInBatchActOnDifferentPartitions")
    if len(set(keys)) != len(keys):
        raise Refused(400, "InvalidDuplicateRow")


def _done(etag: str | None) -> str:
    etag_line = f"ETag: {etag}\r\n" if etag else ""
    return f"{_PART}HTTP/1.1 204 No Content\r\nDataServiceVersion: 1.0;\r\n{etag_line}\r\n\r\n"


def _message(parts: list[str]) -> Response:
    body = (
        "--batchresponse\r\nContent-Type: multipart/mixed; boundary=changesetresponse\r\n\r\n"
        f"{''.join(parts)}--changesetresponse--\r\n--batchresponse--\r\n"
    )
    return Response(status=202, headers=_HEADERS, body=body.encode())
