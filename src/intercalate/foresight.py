"""What an experiment would come to, without hardware: one pass of its program on the simulated cell.

The model of the cell runs in a process of its own. Loops are passed once and extrapolated. Where there is no
model of a chemistry, there are bounds and nothing else.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration.occasions import Occasions, check_when
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.orchestration.when import WhenError
from intercalate.protocol import BoundProgram, Protocol, SiteLimits
from intercalate.services import module_command

TIME, VOLTAGE, CAPACITY, STEP = (
    RECORD_COLUMNS.index(name) for name in ("test_time_second", "voltage_volt", "net_capacity_ah", "step_id")
)
ANSWER_S = 120.0
"""Wall seconds that the model may take: its first start on a machine compiles it."""


class ForesightError(RuntimeError):
    """The model of a cell could not be asked."""


@dataclass(frozen=True)
class StepForeseen:
    """One step of a protocol.

    Attributes
    ----------
    step
        Its position, from 1.
    passes
        How often it is passed in all.
    start_s, duration_s
        Of the pass that was simulated.
    start_v, end_v
        Voltage at its first and last record.
    charge_mAh
        Passed in it, + is charge.
    """

    step: int
    passes: int
    start_s: float
    duration_s: float
    start_v: float
    end_v: float
    charge_mAh: float


@dataclass(frozen=True)
class Foresight:
    """What a program does to a cell.

    Attributes
    ----------
    model
        Name of the model.
    records
        Of one pass, shape (n, len(RECORD_COLUMNS)).
    steps
        In the order in which they begin.
    """

    model: str
    records: np.ndarray
    steps: tuple[StepForeseen, ...]

    @property
    def once_s(self) -> float:
        """Duration of one pass."""
        return float(self.records[-1, TIME])

    @property
    def duration_s(self) -> float:
        """Of the whole program, every pass taken to last as long as the one that was simulated."""
        return sum(one.duration_s * one.passes for one in self.steps)

    @property
    def is_extrapolated(self) -> bool:
        """Whether more than what was simulated is said."""
        return any(one.passes > 1 for one in self.steps)

    def due_s(self, task: MeasurementTask, protocol: Protocol) -> np.ndarray | None:
        """When a measurement is due in the pass that was simulated; None where its condition is unknown."""
        try:
            check_when(task.when)
        except WhenError:
            return None
        occasions, found = Occasions(task.when, protocol), []
        for record in self.records:
            occasions.see(record)
            if occasions.take():
                found.append(record[TIME])
        return np.array(found)

    def in_all(self, task: MeasurementTask, due_s: np.ndarray) -> int:
        """Number of occasions of the whole program."""
        if task.when.period_s is not None:
            return int(self.duration_s // task.when.period_s) + 1
        times, steps = self.records[:, TIME], self.records[:, STEP]
        passes = {one.step: one.passes for one in self.steps}
        count = sum(passes[int(steps[np.searchsorted(times, at_s)])] for at_s in due_s)
        return count if task.when.limit is None else min(count, task.when.limit)

    def voltage_at(self, time_s: float) -> float:
        """Voltage of the simulated cell at a time."""
        return float(np.interp(time_s, self.records[:, TIME], self.records[:, VOLTAGE]))


def foresee(program: BoundProgram, cell: Cell, site: SiteLimits) -> Foresight | None:
    """Let the simulated cell of this chemistry pass a program once; None where there is no model of it.

    Raises
    ------
    ForesightError
        If the model does not answer.
    """
    with tempfile.TemporaryDirectory() as name:
        request, answer = Path(name) / "request.json", Path(name) / "records.npy"
        asked = {
            "program": program.to_json(),
            "cell": cell.model_dump(mode="json", exclude_none=True),
            "site": site.model_dump(mode="json"),
        }
        request.write_text(json.dumps(asked))
        command = module_command("intercalate_sims.run", "foresee", str(request), str(answer))
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
            raise ForesightError(f"the simulated cell cannot be asked: {' '.join(why)}") from error
        model = json.loads(done.stdout)["model"]
        if model is None:
            return None
        records = np.load(answer)
    return Foresight(model, records, tuple(steps_of(records, program.passes_of_steps())))


def steps_of(records: np.ndarray, passes: dict[int, int]) -> Sequence[StepForeseen]:
    """Steps of one pass, by its records."""
    edges = [0, *(np.flatnonzero(np.diff(records[:, STEP])) + 1), len(records)]
    found, start_s, start_ah = [], 0.0, 0.0
    for begin, end in pairwise(edges):
        first, last = records[begin], records[end - 1]
        step = int(first[STEP])
        found.append(
            StepForeseen(
                step,
                passes[step],
                start_s,
                float(last[TIME]) - start_s,
                float(first[VOLTAGE]),
                float(last[VOLTAGE]),
                1e3 * (float(last[CAPACITY]) - start_ah),
            )
        )
        start_s, start_ah = float(last[TIME]), float(last[CAPACITY])
    return found
