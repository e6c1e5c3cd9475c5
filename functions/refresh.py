"""The clock: what is due is queued by a timer and refreshed by as many workers as the queue needs.

The queue is written through an output binding, so that the queue SDK is never imported.
"""

import typing

import azure.functions as func

from postern.bootstrap import postern

bp = func.Blueprint()

QUEUE = "refresh-due"
STORAGE = "AzureWebJobsStorage"


@bp.function_name("refresh_timer")
@bp.timer_trigger(
    schedule="%POSTERN_REFRESH_SCHEDULE%", arg_name="timer", run_on_startup=False, use_monitor=True
)
@bp.queue_output(arg_name="batches", queue_name=QUEUE, connection=STORAGE)
async def refresh_timer(
    timer: func.TimerRequest,
    # The worker refuses list[str] here.
    batches: func.Out[typing.List[str]],  # noqa: UP006
) -> None:
    """Queue what is due. A message holds keys of rows, never a token."""
    app = await postern()
    batches.set(await app.schedule.due_batches())


@bp.function_name("refresh_batch")
@bp.queue_trigger(arg_name="message", queue_name=QUEUE, connection=STORAGE)
async def refresh_batch(message: func.QueueMessage) -> None:
    """Refresh one batch. Safe to run twice: what has moved on is passed over."""
    app = await postern()
    await app.schedule.run_batch(message.get_body().decode())
