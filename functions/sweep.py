"""The clock: what must not stay."""

import azure.functions as func

from postern.bootstrap import postern

bp = func.Blueprint()


@bp.function_name("sweep_timer")
@bp.timer_trigger(
    schedule="%POSTERN_SWEEP_SCHEDULE%", arg_name="timer", run_on_startup=False, use_monitor=True
)
async def sweep_timer(timer: func.TimerRequest) -> None:
    """Remove secrets past their deadline, finish hand-overs, drop old rows."""
    app = await postern()
    await app.sweeper.sweep()
