"""Each check of a preflight, green and red, from numbers."""

from pathlib import Path

import numpy as np
import pytest

from intercalate.calibrations import CalibrationStore, Kind
from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration import preflight as checks
from intercalate.orchestration.preflight import Finding, Pulses, Verdict
from intercalate.protocol import Protocol, bind

TIME, VOLTAGE, CURRENT = (
    RECORD_COLUMNS.index(name) for name in ("test_time_second", "voltage_volt", "current_ampere")
)


@pytest.fixture(scope="module")
def program():
    cell = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")
    protocol = Protocol.from_file(EXAMPLES / "protocols" / "formation_c10.json")
    return bind(protocol, cell, Config.from_file(DEFAULT_CONFIG).site)


def records(resistance_ohm=30.0, current_a=1.5e-4):
    """Rest, charge, rest, discharge, rest, a record each second."""
    current = np.repeat([0.0, current_a, 0.0, -current_a, 0.0], 10)
    rows = np.zeros((50, len(RECORD_COLUMNS)))
    rows[:, TIME], rows[:, CURRENT] = np.arange(50), current
    rows[:, VOLTAGE] = 3.6 + resistance_ohm * current
    return rows


def red(findings):
    return {one.what for one in findings if one.verdict is Verdict.RED}


@pytest.mark.parametrize(("voltage_v", "good"), [(3.7, True), (1.6, True), (-0.2, False), (4.4, False)])
def test_the_voltage_must_be_within_the_interlocks(program, voltage_v, good):
    finding = checks.open_circuit_voltage(voltage_v, program)
    assert (finding.verdict is Verdict.GREEN) == good
    assert good or "right way round" in str(finding)


@pytest.mark.parametrize(("voltage_v", "rates"), [(3.6, (0.02, -0.02)), (1.5, (0.02,)), (4.25, (-0.02,))])
def test_outside_its_window_a_cell_is_only_pulsed_towards_it(program, voltage_v, rates):
    assert checks.pulse_rates(voltage_v, program) == rates


def test_a_cell_that_answers_is_green_with_its_resistance():
    findings = checks.pulse_answers(Pulses(records()), (0.02, -0.02))
    assert not red(findings)
    assert findings[1].found.startswith("30.0 ohm within 1.0 s")
    assert findings[2].verdict is Verdict.NOT_CHECKED


@pytest.mark.parametrize("resistance_ohm", [0.0, -30.0])
def test_a_cell_that_does_not_answer_or_the_wrong_way_is_red(resistance_ohm):
    assert {"pulse", "resistance"} <= red(
        checks.pulse_answers(Pulses(records(resistance_ohm)), (0.02, -0.02))
    )


def test_no_pulse_at_all_is_red():
    nothing = records()
    nothing[:, CURRENT] = 0.0
    assert "pulse" in red(checks.pulse_answers(Pulses(nothing), (0.02, -0.02)))


@pytest.mark.parametrize(("share", "good"), [(0.0, True), (0.01, True), (0.5, False), (-1.0, False)])
def test_the_pulse_must_show_on_its_own_channel_alone(share, good):
    rows = records()
    others = {"CH2": [(row[CURRENT], 3.2 + share * (row[VOLTAGE] - 3.6)) for row in rows]}
    findings = checks.pulse_answers(Pulses(rows, others), (0.02, -0.02))
    assert ("other channels" in red(findings)) == (not good)
    assert good or "also shows on CH2" in str(findings[2])


def test_a_drifting_neighbour_is_not_blamed():
    rows = records()
    others = {"CH2": [(row[CURRENT], 3.2 + 1e-6 * row[TIME]) for row in rows]}
    assert not red(checks.pulse_answers(Pulses(rows, others), (0.02, -0.02)))


@pytest.mark.parametrize(
    ("closed", "opened", "wrong"),
    [(8.0, 1e6, set()), (8.0, 3e5, {"I0"}), (8.0, 8.0, {"shutter", "I0"}), (1e6, 1e6, {"shutter"})],
)
def test_shutter_and_beam(closed, opened, wrong):
    assert red(checks.shutter_and_i0(closed, opened, 1e6, 0.5)) == wrong


def test_a_shutter_that_sticks_says_what_it_shows():
    assert "told to open, it shows 'closed'" in str(checks.stuck_shutter("closed"))


@pytest.mark.parametrize(
    ("frame", "verdict", "words"),
    [
        (np.full((50, 50), 300), Verdict.GREEN, "200 counts"),
        (np.full((50, 50), 100), Verdict.RED, "is the sample in the beam"),
        (np.full((50, 50), 70_000), Verdict.RED, "expose for less time"),
    ],
)
def test_a_frame_must_be_neither_empty_nor_saturated(frame, verdict, words):
    finding = checks.exposed_frame(frame, np.full((50, 50), 100.0), None, 65_535)
    assert finding.verdict is verdict
    assert words in str(finding)


def test_without_darks_emptiness_is_not_judged():
    finding = checks.exposed_frame(np.full((50, 50), 100), None, None, 65_535)
    assert finding.verdict is Verdict.NOT_CHECKED
    assert "take_darks" in str(finding)


def test_disk_and_clocks(tmp_path: Path):
    assert checks.disk(tmp_path / "not" / "yet", 10, 4_000_000).verdict is Verdict.GREEN
    assert checks.disk(tmp_path, 10**9, 4_000_000).verdict is Verdict.RED
    assert checks.clocks(4.0, 0.1).verdict is Verdict.GREEN
    for offset_s in (3600.0, float("nan")):
        assert checks.clocks(offset_s, 0.1).verdict is Verdict.RED


def test_calibrations_must_be_there_and_recent(tmp_path: Path):
    store = CalibrationStore(tmp_path)
    finding = checks.calibrations(store, 60.0, "H1", 48.0)
    assert finding.verdict is Verdict.RED
    assert "no dark:60s" in finding.found
    assert "take_darks" in finding.remedy
    for kind, key in ((Kind.GEOMETRY, ""), (Kind.DARK, "60s"), (Kind.FLAT, ""), (Kind.BACKGROUND, ""),
                      (Kind.POSITION, "H1")):  # fmt: skip
        store.keep(kind, "run", {}, key=key)
    assert checks.calibrations(store, 60.0, "H1", 48.0).verdict is Verdict.GREEN
    assert "h old" in checks.calibrations(store, 60.0, "H1", 0.0).found


def test_an_override_needs_a_name_and_a_reason():
    checks.check_overrides({"disk": "emptied at noon"})
    with pytest.raises(ValueError, match="no check 'disc' to override; there are open-circuit voltage"):
        checks.check_overrides({"disc": "emptied at noon"})
    with pytest.raises(ValueError, match="'disk' needs a reason"):
        checks.check_overrides({"disk": "  "})


def test_only_what_is_red_is_overridden_and_the_reason_stays():
    findings = [Finding("disk", Verdict.RED, "1 GB"), Finding("clocks", Verdict.GREEN, "0 s")]
    found = checks.overridden(findings, {"disk": "emptied at noon", "clocks": "never mind"})
    assert [one.verdict for one in found] == [Verdict.OVERRIDDEN, Verdict.GREEN]
    assert found[0].remedy == "emptied at noon"


def test_the_error_lists_what_is_red_and_how_to_go_on():
    error = checks.PreflightError("H1", [Finding("disk", Verdict.RED, "1 GB", "2 GB", "make room")])
    assert "preflight of H1 found 1 red" in str(error)
    assert "disk: 1 GB (limit: 2 GB); make room" in str(error)
