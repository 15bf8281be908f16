"""The account of an experiment whose session died and whose program was taken up."""

import functools
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from ophyd import Signal

from catalog.conftest import Laboratory
from catalog.making import declare, record, take
from intercalate.catalog.chain import experiment
from intercalate.catalog.client import CatalogError, find_run
from intercalate.orchestration.notes import ENDED_FIRST
from intercalate.report import (
    ABSENT,
    DEAD,
    EXPOSING,
    IMPOSSIBLE,
    MOVING,
    NO_SESSION,
    OTHERWISE,
    beam_time,
    reports_of_experiment,
)

pytestmark = pytest.mark.service

T0 = 1.8e9
NO_BEAM = "no beam: the storage ring is empty"


signal: Any = functools.cache(lambda name: Signal(name=name))
"""A stream is of the same objects throughout a run."""


def event(stream: str, **values: Any):
    yield from bps.create(name=stream)
    for name, value in values.items():
        signal(name).put(value)
        yield from bps.read(signal(name))
    yield from bps.save()


def available(at_s: float, why_not: str = ""):
    yield from event(
        "available", available_instrument="xrd", available_why_not=why_not, available_unix_s=T0 + at_s
    )


def visit(laboratory: Laboratory, began_s: float, frames: int = 1):
    yield from take(laboratory.detector, frames)
    yield from event(
        "visits",
        visit_measurement="xrd",
        visit_due_unix_s=T0 + began_s - 1,
        visit_began_unix_s=T0 + began_s,
        visit_moving_s=8.0,
        visit_visiting_s=20.0,
        visit_frames=frames,
    )


def a_run(laboratory: Laboratory, *parts: Any, **metadata: Any):
    every = {"name": "xrd", "when": {"every": {"time_s": 100.0}}, "exposure_s": 10.0}
    start = {"sample": "made", "place": "H1", "program_id": "p1", "measurements": [every], **metadata}

    @bpp.run_decorator(md=start)
    @bpp.stage_decorator([laboratory.detector])
    def run():
        yield from declare(laboratory.recorder)
        for part in parts:
            yield from part

    laboratory.recorder.next = 0
    return laboratory.run(run())


def test_a_program_that_was_taken_up_has_one_account(
    laboratory: Laboratory, catalog: Any, request: pytest.FixtureRequest
) -> None:
    recorder, experiment_uid = laboratory.recorder, {"experiment_uid": request.node.name}
    first = a_run(
        laboratory,
        available(1.0),
        visit(laboratory, 1.0),
        visit(laboratory, 101.0),
        record(recorder, 250),
        **experiment_uid,
    )
    a_run(
        laboratory,
        record(recorder, 520),
        available(519.0),
        visit(laboratory, 601.0, frames=2),
        available(690.0, NO_BEAM),
        event("missed", missed_measurement="xrd", missed_reason=NO_BEAM),
        record(recorder, 280),
        **experiment_uid,
    )
    a_run(laboratory, record(recorder, 1000), place="H2", program_id="p2", measurements=[], **experiment_uid)
    laboratory.forward()
    one, twin = reports_of_experiment(catalog, find_run(catalog, first))

    whole, _ = experiment(catalog, experiment_uid["experiment_uid"])
    assert (whole.name, whole.records.sizes["record"]) == ("H1", 800)
    frames = whole.frames["xrd"]
    assert frames.sizes["frame"] == 4
    assert len(set(frames["run"].values)) == 2
    assert list(frames["run"].values[:2]) == [first, first]
    assert np.array_equal(whole.gaps_unix_s - T0, [[249.0, 519.0]])
    assert [cell.name for cell in experiment(catalog, first)] == ["H1", "H2"]

    # Due at 0, 100, ... 700 s; the one of 200 s was waiting when the first session ended.
    frames = one.measurements["xrd"]
    assert (one.name, frames.occasions, frames.measured) == ("H1", 8, 3)
    assert frames.missed == {NO_BEAM: 1, NO_SESSION: 3, ENDED_FIRST: 1}
    assert sum(frames.frames.values()) == 4
    assert one.statuses == ("complete", "complete")
    expected_s = {EXPOSING: 32, MOVING: 24, DEAD: 4, ABSENT: 270, IMPOSSIBLE: 109, OTHERWISE: 360}
    assert one.time_s == pytest.approx(expected_s)
    assert sum(one.time_s.values()) == pytest.approx(one.duration_s) == pytest.approx(799.0)
    assert (twin.name, twin.measurements) == ("H2", {})
    assert twin.time_s[OTHERWISE] == twin.duration_s == 999.0
    assert beam_time([one, twin]).startswith("beam time 0.28 h: ")


def test_what_was_left_of_a_program_goes_on_with_it(
    laboratory: Laboratory, catalog: Any, request: pytest.FixtureRequest
) -> None:
    recorder, experiment_uid = laboratory.recorder, {"experiment_uid": request.node.name}
    first = a_run(laboratory, available(0.0), visit(laboratory, 1.0), record(recorder, 250), **experiment_uid)
    begin = {"program_id": "p1"}

    def later():
        recorder.next = 700
        yield from record(recorder, 150)

    second = a_run(
        laboratory, later(), available(701.0), visit(laboratory, 702.0),
        program_id="p2", begin=begin, **experiment_uid,
    )  # fmt: skip
    laboratory.forward()
    (whole,) = experiment(catalog, experiment_uid["experiment_uid"])
    assert [run.metadata["start"]["uid"] for run in whole.runs] == [first, second]
    times_s = np.asarray(whole.records["unix_time_second"]) - T0
    assert times_s.tolist() == [*range(250), *range(700, 850)]
    assert np.array_equal(whole.gaps_unix_s - T0, [[249.0, 701.0]])
    assert whole.frames["xrd"]["run"].values.tolist() == [first, second]
    (one,) = reports_of_experiment(catalog, find_run(catalog, second))
    frames = one.measurements["xrd"]
    # Due at 0, 100, 200 s of the first, and at 700 and 800 s: what is left begins with an occasion.
    assert (frames.occasions, frames.measured) == (5, 2)
    assert sum(frames.missed.values()) == 3


def test_an_experiment_that_is_not_there_is_named(catalog: Any) -> None:
    with pytest.raises(CatalogError, match="no experiment and no run 'elsewhere'"):
        experiment(catalog, "elsewhere")


def test_a_report_of_nothing_is_no_error() -> None:
    assert beam_time([]) == "beam time 0 h"


def test_an_occasion_that_the_next_session_measured_late_is_not_missed_as_well(
    laboratory: Laboratory, catalog: Any, request: pytest.FixtureRequest
) -> None:
    recorder, experiment_uid = laboratory.recorder, {"experiment_uid": request.node.name}
    first = a_run(
        laboratory,
        available(1.0),
        *(visit(laboratory, at_s) for at_s in (1.0, 101.0, 201.0)),
        record(recorder, 250),
        **experiment_uid,
    )
    a_run(
        laboratory,
        record(recorder, 520),
        available(519.0),
        *(visit(laboratory, at_s) for at_s in (525.0, 601.0, 701.0)),
        record(recorder, 280),
        **experiment_uid,
    )
    laboratory.forward()
    (one,) = reports_of_experiment(catalog, find_run(catalog, first))
    frames = one.measurements["xrd"]
    assert (frames.occasions, frames.measured, frames.missed) == (8, 6, {NO_SESSION: 2})
