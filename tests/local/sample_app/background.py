"""Timers and queues; GET /api/seen tells what they were given."""

import asyncio
import json
import time
import typing

import azure.functions as func

background = func.Blueprint()
CONNECTION = "AzureWebJobsStorage"
seen: list[dict[str, object]] = []
ticking = 0


def status_of(timer: typing.Any) -> typing.Any:
    return timer.schedule_status  # the SDK's public type does not have it


@background.route(route="seen", methods=["GET"])
async def show_seen(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@background.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    """Takes longer than from one time of its schedule to the next, but may never overlap itself."""
    global ticking
    ticking += 1
    seen.append({"tick": ticking, "past_due": timer.past_due, "status": status_of(timer)})
    await asyncio.sleep(1.2)
    ticking -= 1


@background.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def yearly(timer: func.TimerRequest) -> None:
    seen.append({"yearly": status_of(timer)["Last"], "next": status_of(timer)["Next"]})


@background.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
async def at_startup(timer: func.TimerRequest) -> None:
    seen.append({"at_startup": True})


@background.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def broken(timer: func.TimerRequest) -> None:
    msg = "the timer is broken"
    raise RuntimeError(msg)


@background.queue_trigger(arg_name="message", queue_name="%JOBS_QUEUE%", connection=CONNECTION)
async def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    times = (message.insertion_time, message.time_next_visible, message.expiration_time)
    seen.append(
        {
            "work": text,
            "at": time.monotonic(),
            "count": message.dequeue_count,
            "id": message.id,
            "receipt": bool(message.pop_receipt),
            "times": [moment and moment.isoformat() for moment in times],
        }
    )
    if text == "fail" or (text == "fail once" and message.dequeue_count == 1):
        msg = "this message cannot be processed"
        raise RuntimeError(msg)


@background.queue_trigger(arg_name="message", queue_name="long-jobs", connection=CONNECTION)
async def long_work(message: str) -> None:
    """Outlasts the lease of its message, which is a second in the tests."""
    seen.append({"long": message})
    await asyncio.sleep(1.7)
    seen.append({"long": "done"})


@background.route(route="enqueue", methods=["POST"])
@background.queue_output(arg_name="jobs", queue_name="%JOBS_QUEUE%", connection=CONNECTION)
async def enqueue(
    req: func.HttpRequest,
    jobs: func.Out[typing.List[str]],  # noqa: UP006 - list[...] is refused
) -> func.HttpResponse:
    jobs.set(req.get_json())
    return func.HttpResponse(status_code=202)


@background.route(route="enqueue-text", methods=["POST"])
@background.queue_output(arg_name="job", queue_name="%JOBS_QUEUE%", connection=CONNECTION)
async def enqueue_text(req: func.HttpRequest, job: func.Out[str]) -> func.HttpResponse:
    job.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)


@background.route(route="enqueue-new", methods=["POST"])
@background.queue_output(arg_name="job", queue_name="made-by-output", connection=CONNECTION)
def enqueue_new(req: func.HttpRequest, job: func.Out[str]) -> func.HttpResponse:
    job.set("first")
    return func.HttpResponse(status_code=202)
