"""HTTP functions, each for one thing that the host does its own way."""

import asyncio
import json
import logging
import os
import time

import azure.functions as func

web = func.Blueprint()


def as_json(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


@web.route(route="echo/{name:alpha}/{count:int?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("sample").warning("the app says hello")
    return as_json(
        {
            "url": req.url,
            "route": dict(req.route_params),
            "query": dict(req.params),
            "headers": dict(req.headers),
            "body": req.get_body().decode(),
            "function": context.function_name,
            "trace": context.trace_context.trace_parent,
            "settings": {name: os.environ.get(name) for name in ("FROM_FILE", "FROM_BOTH")},
        }
    )


@web.route(route="login", methods=["GET"])
async def login(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(status_code=302, headers={"Location": "/", "X-Name": "first"})
    response.headers.add("X-Name", "last")
    response.headers.add("X-Frame-Options", "SAMEORIGIN")
    response.headers.add("Set-Cookie", "__Host-a=x+/=; Path=/; Secure; HttpOnly; SameSite=Lax")
    response.headers.add("Set-Cookie", "bare=1; Max-Age=60")
    response.headers.add("Set-Cookie", "lost=a b")
    return response


@web.route(route="answers/{kind}")
def answers(req: func.HttpRequest):  # what it returns is often wrong
    kind = req.route_params["kind"]
    if kind == "raises":
        msg = "a detail that nobody may see"
        raise ValueError(msg)
    return {
        "page": func.HttpResponse("<p>é", mimetype="text/html"),
        "none": None,
        "dict": {"not": "allowed"},
        "text": "plain",
        "json-text": "[1]",
        "no-content-body": func.HttpResponse("x", status_code=204),
        "header": func.HttpResponse(headers={"X-Name": "é"}),
        "negative-age": func.HttpResponse(headers={"Set-Cookie": "a=b; Max-Age=-1"}),
    }[kind]


@web.route(route="who/{id}", methods=["GET"])
def a_catches_all(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("a")


@web.route(route="who/me", methods=["GET"])
def b_is_never_reached(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("b")


@web.route(route="guarded", auth_level=func.AuthLevel.FUNCTION)
async def guarded(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@web.route(route="strictly-guarded", auth_level=func.AuthLevel.ADMIN)
async def strictly_guarded(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@web.route(route="threads")
def threads(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(0.2)
    return func.HttpResponse()


@web.route(route="endless")
async def endless(req: func.HttpRequest) -> func.HttpResponse:
    try:
        await asyncio.sleep(60)
    finally:
        logging.getLogger("sample").info("endless was cancelled")
    return func.HttpResponse()


@web.route(route="blocked")
async def blocked(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(60)
    return func.HttpResponse()
