"""Draws experiments with the faults that befall them, goes through them, and counts what was lost."""

import random
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.faults.ending import ENDING, STARTED_AGAIN
from benchmarks.faults.evidence import (
    SEQ,
    foreign_frames,
    ledger,
    program_records,
    server_records,
    unclaimed_frames,
)
from benchmarks.faults.experiments import CELL_FILE, PlanRun, Run, experiment_file, of_steps
from benchmarks.faults.kinds import Act, Kind, Took, Where
from benchmarks.faults.passing import PASSING
from benchmarks.faults.scene import Scene
from intercalate.contract import OnLoss

LONG_S = 600_000.0
"""Cell seconds of a program that a fault ends."""

MOST_PASSING = 3
"""Faults that one experiment survives before it ends."""

STEP_S, REST_S, CURRENT_C = 1500.0, 100.0, 0.05
HALF_FULL_S, HALF_FULL_C = 2400.0, 0.6
"""Charge with which a fresh cell gets room both ways."""


@dataclass(frozen=True)
class Episode:
    """An experiment and what befalls it."""

    passing: tuple[Kind, ...]
    ending: Kind
    is_process: bool
    on_abort: OnLoss
    on_client_lost: OnLoss
    starts_again: bool = False

    @property
    def completes(self) -> bool:
        """Whether its program goes on to its own end."""
        said = {"on_abort": self.on_abort, "on_client_lost": self.on_client_lost}
        needed = self.ending.goes_on_if
        return bool(needed) and all(said[name] is OnLoss.CONTINUE for name in needed)


@dataclass
class Outcome:
    """What came of one fault.

    Attributes
    ----------
    took
        None where the demanded state did not come.
    broken
        What was promised and not kept.
    records_lost, documents_lost
        In the experiment it befell.
    """

    kind: Kind
    took: Took | None = None
    broken: list[str] = field(default_factory=list)
    records_lost: int = 0
    documents_lost: int = 0


def draw(
    rng: random.Random,
    passing: Iterable[Kind] = PASSING,
    ending: Iterable[Kind] = ENDING,
    started_again: int = STARTED_AGAIN.count,
) -> list[Episode]:
    """Every kind as often as it says, in random order."""
    endings = [kind for kind in ending for _ in range(kind.count)]
    rng.shuffle(endings)
    episodes = [_bare(rng, kind) for kind in endings]
    for kind in [one for one in passing for _ in range(one.count)]:
        fits = [number for number, one in enumerate(episodes) if _fits(kind, one)]
        if not fits:
            raise ValueError(f"no experiment is drawn that {kind.name!r} could strike; draw more of them")
        number = min(fits, key=lambda n: (len(episodes[n].passing), rng.random()))
        one = episodes[number]
        episodes[number] = _with(one, passing=(*one.passing, kind))
    latched = [number for number, one in enumerate(episodes) if not one.completes]
    for number in rng.sample(latched, started_again):
        episodes[number] = _with(episodes[number], starts_again=True)
    return episodes


def _bare(rng: random.Random, kind: Kind) -> Episode:
    options = list(OnLoss)
    is_process = kind.where is Where.PROCESS or (kind.where is Where.ANY and rng.random() < 0.2)
    on_abort, on_client_lost = (
        kind.on_abort or rng.choice(options),
        kind.on_client_lost or rng.choice(options),
    )
    return Episode((), kind, is_process, on_abort, on_client_lost)


def _with(episode: Episode, **changes: Any) -> Episode:
    return Episode(**{**vars(episode), **changes})


def _fits(kind: Kind, episode: Episode) -> bool:
    is_there = kind.where is Where.ANY or (kind.where is Where.PROCESS) is episode.is_process
    return is_there and not episode.completes and len(episode.passing) < MOST_PASSING


def perform(scene: Scene, episodes: Sequence[Episode]) -> list[Outcome]:
    """Go through them one after the other, on one beamline."""
    outcomes: list[Outcome] = []
    _half_fill(scene)
    for number, episode in enumerate(episodes, 1):
        found = _perform(scene, episode)
        outcomes += found
        broken = [words for one in found for words in one.broken]
        names = ", ".join(one.kind.name for one in found)
        print(f"{number}/{len(episodes)} {names}: {'; '.join(broken) or 'kept'}", file=sys.stderr, flush=True)
    return outcomes


def _half_fill(scene: Scene) -> None:
    from intercalate.cell import Cell
    from intercalate.orchestration import charge

    cell = Cell.from_file(CELL_FILE)
    cycler: Any = scene.cycler
    scene.session.RE(charge(cycler, cell, rate_C=HALF_FULL_C, until_time_s=HALF_FULL_S))
    scene.make_ready()


def _perform(scene: Scene, episode: Episode) -> list[Outcome]:
    act = Act(scene, episode.on_abort, episode.on_client_lost)
    kinds = (*episode.passing, episode.ending, *((STARTED_AGAIN,) if episode.starts_again else ()))
    outcomes: list[Outcome] = []
    try:
        _begin(act, episode)
        for kind in kinds:
            outcomes.append(Outcome(kind))
            if kind is not STARTED_AGAIN:
                scene.pass_time(0.1, 1.2)
            outcomes[-1].took = kind.strike(act)
        ended = outcomes[len(episode.passing)].took
        assert ended is not None
        _count_losses(act, outcomes, whole=ended.whole)
    except Exception as error:  # noqa: BLE001 - whatever it is, a promise was broken
        outcomes = outcomes or [Outcome(kinds[0])]
        outcomes[-1].broken.append(f"{type(error).__name__}: {error}")
        traceback.print_exc()
        _give_up(act)
    scene.make_ready()
    return outcomes


def _begin(act: Act, episode: Episode) -> None:
    """Start the experiment, and wait until it has taken a frame."""
    scene = act.scene
    steps = _there_and_back(scene.rng, episode.ending.lasts_s if episode.completes else LONG_S)
    path = experiment_file(
        scene.folder, steps, on_abort=episode.on_abort, on_client_lost=episode.on_client_lost
    )
    if episode.is_process:
        act.runs.append(Run(scene.config, "run", str(path)))
    else:
        from intercalate.experiment import Experiment

        plan = scene.session.plan(Experiment.from_file(path, scene.config.site))
        act.runs.append(PlanRun(scene.config, scene.session.RE, plan))
    act.run.wait_for_frames(1)
    (start,) = act.run.documents().of("start")
    act.program_id = start["program_id"]


def _there_and_back(rng: random.Random, duration_s: float) -> dict[str, Any]:
    """Charges and discharges that leave the cell about where it was, wherever they are cut off."""
    steps: list[dict[str, Any]] = []
    for sign in rng.choice(((1, -1), (-1, 1))):
        limit_v = 4.2 if sign > 0 else 3.0
        current = {"rate_C": sign * CURRENT_C, "until_time_s": STEP_S, "until_voltage_V": limit_v}
        steps.append({"step": "constant_current", **current})
        steps.append({"step": "open_circuit_voltage", "until_time_s": REST_S})
    cycles = max(1, round(duration_s / (2 * (STEP_S + REST_S))))
    return of_steps(*steps, {"step": "loop", "loop_to": 1, "cycle_count": cycles})


def _give_up(act: Act) -> None:
    """End an experiment that has gone wrong, whatever state it is in."""
    for run in act.runs:
        if isinstance(run, Run) and run.is_running:
            run.kill()
        if isinstance(run, PlanRun) and run.is_running:
            if act.scene.session.RE.state != "paused":
                run.pause()
            run.go_on("halt")
            run.end()


def _count_losses(act: Act, outcomes: Sequence[Outcome], *, whole: bool) -> None:
    """Compare what the runs hold with the server's own file, and frames with the simulator's truth."""
    records, documents, wrong = 0, 0, []
    config, truth = act.scene.config, act.scene.truth()
    everything = server_records(config)
    records += int(np.count_nonzero(everything[:, SEQ] != np.arange(len(everything))))
    for run in act.runs:
        found = run.documents()
        (start,) = found.of("start")
        own = program_records(config, ledger(config)[start["program_id"]])
        collected = found.records()
        records += rows_that_differ(collected, own[: len(collected)])
        if whole and run is act.run:
            records += len(own) - len(collected)
        documents += found.missing()
        wrong += foreign_frames(found, truth, "xrd")
        unclaimed = unclaimed_frames(found, truth, "xrd")
        if unclaimed > act.spare_frames:
            wrong.append(f"{unclaimed} frames have no event, {act.spare_frames} may have none")
    for one in outcomes:
        one.records_lost, one.documents_lost = records, documents
    outcomes[-1].broken += wrong


def rows_that_differ(found: np.ndarray, wanted: np.ndarray) -> int:
    """Number of rows of `found` that are not bit for bit those of `wanted`, or have no counterpart."""
    shared = min(len(found), len(wanted))
    same = (found[:shared] == wanted[:shared]) | (np.isnan(found[:shared]) & np.isnan(wanted[:shared]))
    return int(np.count_nonzero(~same.all(axis=1))) + len(found) - shared
