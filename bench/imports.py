"""Import time, the part of a cold start that is ours, against bare `import azure.functions`.

Processor time of the import alone, in a new interpreter each time: a busy machine disturbs it
least, and with bytecode and page cache warm it is what a clock would show.
"""

import os
import subprocess
import sys

from bench.figures import Figures, progress
from local.processes import PROJECT

_REPEATS = 9
_BARE = "import azure.functions"
_INDEXED = "import function_app"
# What `postern.bootstrap` imports at the first call. Whoever makes an import of the refresh path
# lazy adds its module here, or the figure hides what it no longer sees.
_FIRST_CALL = "import function_app, postern.settings, postern.assembly"
_TIMED = """
import sys, time
before = time.process_time()
{statement}
print((time.process_time() - before) * 1e3, len(sys.modules))
"""


def measure(figures: Figures) -> None:
    """Note what indexing and a first refresh import."""
    progress(f"import: {_REPEATS} interpreters for each of three")
    statements = (_BARE, _INDEXED, _FIRST_CALL)
    for statement in statements:  # writes bytecode, fills the page cache
        _import(statement)
    rounds = [[_import(statement) for statement in statements] for _ in range(_REPEATS)]
    indexed = [ours[0] / bare[0] for bare, ours, _ in rounds]
    figures.add("import: function_app / azure.functions", indexed, goal=1.4)
    first_call = [ours[0] / bare[0] for bare, _, ours in rounds]
    figures.add("import: first refresh / azure.functions", first_call, goal=3.0)
    names = ("azure.functions", "function_app", "function_app and first refresh")
    for index, name in enumerate(names):
        figures.absolute(f"import ms: {name}", [each[index][0] for each in rounds])
        figures.absolute(f"modules: {name}", [each[index][1] for each in rounds])


def _import(statement: str) -> tuple[float, float]:
    """Return milliseconds and the number of modules afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(statement=statement)],
        check=True,
        capture_output=True,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
    )
    milliseconds, modules = done.stdout.split()
    return float(milliseconds), float(modules)
