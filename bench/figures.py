"""What was measured: medians with their spread, beside the goal of each."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A median of repeats, each a ratio taken within one run, or a count."""

    name: str
    value: float
    goal: float
    better: Better
    unit: str
    spread: tuple[float, float]

    @property
    def reached(self) -> bool:
        """Say whether the goal is reached."""
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


class Figures:
    """All figures of a run, and the absolute values behind them, which are this machine's own."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []
        self._absolute: dict[str, float] = {}

    def add(
        self,
        name: str,
        repeats: Sequence[float],
        *,
        goal: float,
        better: Better = "lower",
        unit: str = "ratio",
    ) -> None:
        """Note the median of *repeats*."""
        value = round(statistics.median(repeats), 3)
        spread = (round(min(repeats), 3), round(max(repeats), 3))
        self._figures.append(Figure(name, value, goal, better, unit, spread))

    def absolute(self, name: str, repeats: Sequence[float]) -> None:
        """Note the median of a value that says nothing on another machine."""
        self._absolute[name] = round(statistics.median(repeats), 2)

    def read(self, file: Path) -> None:
        """Add what another process wrote."""
        taken = json.loads(file.read_text())
        self._figures += [
            Figure(**{**each, "spread": tuple(each["spread"])}) for each in taken["results"]
        ]
        self._absolute.update(taken["absolute"])

    def write(self, file: Path, machine: Mapping[str, object]) -> None:
        """Write everything as JSON."""
        taken = {
            "taken": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine,
            "results": [asdict(figure) for figure in self._figures],
            "absolute": self._absolute,
        }
        file.write_text(json.dumps(taken, indent=2) + "\n")

    def table(self) -> str:
        """Return the figures for a reader."""
        lines = [f"{'figure':<44} {'median':>8} {'min':>8} {'max':>8}  goal"]
        for figure in self._figures:
            sign = "<=" if figure.better == "lower" else ">="
            lines.append(
                f"{figure.name:<44} {figure.value:>8g} {figure.spread[0]:>8g}"
                f" {figure.spread[1]:>8g}  {sign} {figure.goal:g}"
                f" {'reached' if figure.reached else 'NOT REACHED'}"
            )
        lines += ["", "on this machine only:"]
        lines += [f"  {name:<50} {value:>10g}" for name, value in self._absolute.items()]
        return "\n".join(lines)


def progress(text: str) -> None:
    """Print what is being done."""
    print(f"  {text}", flush=True)
