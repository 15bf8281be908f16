"""Each check of a preflight, green and red, from numbers."""

from pathlib import Path

import numpy as np
import pytest

from intercalate.beam_quality import BeamLimits
from intercalate.calibrations import CalibrationStore, Kind
from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration import preflight as checks
from intercalate.orchestration import preflight_instrument as instrument
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


CURRENT_A = 1.5e-4


def pulses(rows, others=()):
    """What a plan has seen, the other channels with the currents of the records."""
    seen = Pulses(CURRENT_A, rows)
    for channel, volts in dict(others).items():
        for row, volt in zip(rows, volts, strict=True):
            seen.note(channel, row[CURRENT], volt, row[CURRENT])
    return seen


def records(resistance_ohm=30.0, current_a=CURRENT_A):
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


def test_a_voltage_outside_the_cells_own_window_is_told(program):
    assert "outside the cell's own" in checks.open_circuit_voltage(1.6, program).found
    assert "outside" not in checks.open_circuit_voltage(3.7, program).found


@pytest.mark.parametrize(("voltage_v", "rates"), [(3.6, (0.02, -0.02)), (1.5, (0.02,)), (4.25, (-0.02,))])
def test_outside_its_window_a_cell_is_only_pulsed_towards_it(program, voltage_v, rates):
    assert checks.pulse_rates(voltage_v, program) == rates


def test_a_cell_that_answers_is_green_with_its_resistance():
    findings = checks.pulse_answers(pulses(records()), (0.02, -0.02))
    assert not red(findings)
    assert findings[1].found.startswith("30.0 ohm within 1.0 s, from the pulse")
    assert findings[2].verdict is Verdict.NOT_CHECKED


@pytest.mark.parametrize("resistance_ohm", [0.0, -30.0])
def test_a_cell_that_does_not_answer_or_the_wrong_way_is_red(resistance_ohm):
    assert {"pulse", "resistance"} <= red(
        checks.pulse_answers(pulses(records(resistance_ohm)), (0.02, -0.02))
    )


def test_no_pulse_at_all_is_red():
    nothing = records()
    nothing[:, CURRENT] = 0.0
    assert "pulse" in red(checks.pulse_answers(pulses(nothing), (0.02, -0.02)))


def test_an_offset_of_the_current_is_no_pulse():
    rows = records()
    rows[:, CURRENT] += 0.1 * CURRENT_A
    findings = checks.pulse_answers(pulses(rows, {"CH2": 3.2 + 0 * rows[:, VOLTAGE]}), (0.02, -0.02))
    assert not red(findings)
    only_offset = records(current_a=0.1 * CURRENT_A)
    assert "pulse" in red(checks.pulse_answers(pulses(only_offset), (0.02, -0.02)))


@pytest.mark.parametrize(("share", "good"), [(0.0, True), (0.01, True), (0.5, False), (-1.0, False)])
def test_the_pulse_must_show_on_its_own_channel_alone(share, good):
    rows = records()
    others = {"CH2": 3.2 + share * (rows[:, VOLTAGE] - 3.6)}
    findings = checks.pulse_answers(pulses(rows, others), (0.02, -0.02))
    assert ("other channels" in red(findings)) == (not good)
    assert good or "also shows on CH2" in str(findings[2])


def test_no_answer_here_and_one_there_blames_the_cables():
    elsewhere = records()
    here = elsewhere.copy()
    here[:, VOLTAGE] = 3.6
    findings = checks.pulse_answers(pulses(here, {"CH2": elsewhere[:, VOLTAGE]}), (0.02, -0.02))
    assert red(findings) == {"pulse", "resistance", "other channels"}
    assert "CH2 +4.50 mV" in findings[2].found
    assert "cables are exchanged" in findings[2].remedy


def test_a_drifting_neighbour_is_not_blamed():
    rows = records()
    others = {"CH2": 3.2 + 1e-6 * rows[:, TIME]}
    assert not red(checks.pulse_answers(pulses(rows, others), (0.02, -0.02)))


def test_a_busy_neighbour_is_named_and_not_judged():
    seen = pulses(records())
    seen.busy = ["CH2"]
    finding = checks.pulse_answers(seen, (0.02, -0.02))[2]
    assert finding.verdict is Verdict.NOT_CHECKED
    assert "CH2 busy" in finding.found


@pytest.mark.parametrize("volts", [[], [float("nan")] * 50])
def test_a_neighbour_that_could_not_be_read_is_not_green(volts):
    seen = pulses(records())
    seen.others_v = {"CH2": list(zip(records()[:, CURRENT], volts))}
    finding = checks.pulse_answers(seen, (0.02, -0.02))[2]
    assert finding.verdict is Verdict.RED
    assert "CH2 could not be read" in finding.remedy


@pytest.mark.parametrize("after_a", [0.0, float("nan")])
def test_what_was_read_while_the_current_changed_is_left_out(after_a):
    seen = Pulses(CURRENT_A)
    seen.note("CH2", CURRENT_A, 3.2, after_a)
    assert seen.others_v == {}


@pytest.mark.parametrize(
    ("closed", "opened", "wrong"),
    [(8.0, 1e6, set()), (8.0, 3e5, {"I0"}), (8.0, 8.0, {"shutter", "I0"}), (1e6, 1e6, {"shutter"})],
)
def test_shutter_and_beam(closed, opened, wrong):
    assert red(instrument.shutter_and_i0(closed, opened, BeamLimits(1e6, 0.5, 0.01))) == wrong


def test_a_shutter_that_sticks_says_what_it_shows():
    assert "told to be open, it shows 'closed'" in str(instrument.stuck_shutter("open", "closed"))


@pytest.fixture
def dark(tmp_path: Path):
    """Of 100 counts in each pixel, and their noise."""
    counts = np.full((50, 50), 100.0)
    arrays = {"mean": counts, "variance": counts, "blind": np.zeros(counts.shape, bool)}
    return CalibrationStore(tmp_path).keep(Kind.DARK, "run", {}, key="60s", arrays=arrays)


@pytest.mark.parametrize(
    ("frame", "verdict", "words"),
    [
        (np.full((50, 50), 300), Verdict.GREEN, "200 counts"),
        (np.full((50, 50), 100), Verdict.RED, "is the sample in the beam"),
        (np.full((50, 50), 101), Verdict.RED, "10 counts: 50 sigma"),
        (np.full((50, 50), 111), Verdict.GREEN, "11 counts"),
        (np.full((40, 40), 300), Verdict.RED, "(40, 40), (50, 50)"),
        (np.full((50, 50), 70_000), Verdict.RED, "expose for less time"),
    ],
)
def test_a_frame_must_be_neither_empty_nor_saturated(dark, frame, verdict, words):
    finding = instrument.exposed_frame(frame, dark, None, 65_535)
    assert finding.verdict is verdict
    assert words in str(finding)


def test_dark_counts_that_have_drifted_are_no_signal(tmp_path: Path):
    mean, variance = np.full((1000, 1000), 100.0), np.full((1000, 1000), 100.0)
    arrays = {"mean": mean, "variance": variance, "blind": np.zeros(mean.shape, bool)}
    dark = CalibrationStore(tmp_path).keep(Kind.DARK, "run", {}, key="60s", arrays=arrays)
    # A million pixels: 1.5 counts are 150 sigma of their sum, and 1.5 % of the dark counts.
    assert instrument.exposed_frame(mean + 1.5, dark, None, 65_535).verdict is Verdict.RED
    assert instrument.exposed_frame(mean + 2.5, dark, None, 65_535).verdict is Verdict.GREEN


def test_masked_pixels_neither_saturate_nor_count(dark, tmp_path: Path):
    mask = np.zeros((50, 50), bool)
    mask[:, :25] = True
    flat = CalibrationStore(tmp_path).keep(Kind.FLAT, "run", {}, arrays={"mask": mask})
    frame = np.where(mask, 70_000, 300)
    assert instrument.exposed_frame(frame, dark, None, 65_535).verdict is Verdict.RED
    assert instrument.exposed_frame(frame, dark, flat, 65_535).verdict is Verdict.GREEN
    hidden = np.where(mask, 300, 100)
    assert instrument.exposed_frame(hidden, dark, flat, 65_535).verdict is Verdict.RED


def test_without_darks_emptiness_is_not_judged():
    finding = instrument.exposed_frame(np.full((50, 50), 100), None, None, 65_535)
    assert finding.verdict is Verdict.NOT_CHECKED
    assert "take_darks" in str(finding)


def test_disk_and_clocks(tmp_path: Path):
    assert instrument.disk(tmp_path / "not" / "yet", 10, 4_000_000).verdict is Verdict.GREEN
    assert instrument.disk(tmp_path, 10**9, 4_000_000).verdict is Verdict.RED
    assert instrument.disk(Path("/no/such/mount"), 1, 1).verdict is Verdict.RED
    assert instrument.clocks(4.0, 0.1).verdict is Verdict.GREEN
    for offset_s, width_s in ((3600.0, 0.1), (61.0, 5.0), (0.0, 100.0), (float("nan"), float("inf"))):
        assert instrument.clocks(offset_s, width_s).verdict is Verdict.RED


def test_calibrations_must_be_there_and_recent(tmp_path: Path):
    store = CalibrationStore(tmp_path)
    finding = instrument.calibrations(store, "xrd", 60.0, "H1", 48.0)
    assert finding.verdict is Verdict.RED
    assert "no dark:60s" in finding.found
    assert "take_darks" in finding.remedy
    for kind, key in ((Kind.GEOMETRY, ""), (Kind.DARK, "60s"), (Kind.FLAT, ""), (Kind.BACKGROUND, ""),
                      (Kind.POSITION, "H1")):  # fmt: skip
        store.keep(kind, "run", {}, key=key)
    assert instrument.calibrations(store, "xrd", 60.0, "H1", 48.0).verdict is Verdict.GREEN
    old = instrument.calibrations(store, "xrd", 60.0, "H1", 0.0)
    assert old.verdict is Verdict.RED
    assert "background is 0 h old" in old.found


def test_without_a_background_there_is_a_warning(tmp_path: Path):
    store = CalibrationStore(tmp_path)
    for kind, key in ((Kind.GEOMETRY, ""), (Kind.DARK, "60s"), (Kind.FLAT, ""), (Kind.POSITION, "H1")):
        store.keep(kind, "run", {}, key=key)
    finding = instrument.calibrations(store, "xrd", 60.0, "H1", 48.0)
    assert finding.verdict is Verdict.WARNING
    assert str(finding) == "calibrations: no background (limit: 48 h); run take_background"
    assert instrument.calibrations(store, "xrd", 60.0, "H2", 48.0).verdict is Verdict.RED


@pytest.mark.parametrize(
    ("technique", "place_kind", "needed", "spared"),
    [
        ("raman", Kind.FOCUS, [(Kind.DARK, "20s"), (Kind.SHIFT, "")], "focus:H1"),
        ("sem", Kind.CURRENT, [(Kind.SCALE, "")], "current"),
        ("xps", None, [(Kind.ENERGY, "")], ""),
        ("eds", None, [(Kind.ENERGY, "")], ""),
        ("eels", None, [], ""),
    ],
)
def test_each_technique_needs_calibrations_of_its_own(tmp_path: Path, technique, place_kind, needed, spared):
    store = CalibrationStore(tmp_path)
    for kind, key in needed:
        missing = instrument.calibrations(store, technique, 20.0, "H1", 48.0)
        assert missing.verdict is Verdict.RED
        assert f"no {kind}" in missing.found
        store.keep(kind, "run", {}, key=key)
    found = instrument.calibrations(store, technique, 20.0, "H1", 48.0)
    if not spared:
        assert found.verdict is Verdict.GREEN
        return
    assert found.verdict is Verdict.WARNING
    assert found.found == f"no {spared}"
    store.keep(place_kind, "run", {}, key="H1" if spared.endswith(":H1") else "")
    assert instrument.calibrations(store, technique, 20.0, "H1", 48.0).verdict is Verdict.GREEN


def test_a_chamber_is_red_while_nothing_can_be_measured_in_it():
    assert instrument.vacuum(3e-9, 1e-7, "").verdict is Verdict.GREEN
    finding = instrument.vacuum(1e-3, 1e-7, "the chamber has 1.0e-03 mbar, more than 1.0e-07")
    assert finding.verdict is Verdict.RED
    assert "1.0e-03 mbar" in finding.found
    assert "pump" in finding.remedy


def test_a_vacuum_is_asked_of_a_chamber_alone():
    found = checks.completed([instrument.steady_source("no laser: it is switched off")], is_in_vacuum=False)
    assert {one.what for one in found} == set(checks.CHECKS) - {checks.VACUUM}
    assert red(found) == {"I0"}


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
    assert found[1].remedy == "it is green, so its override was ignored: never mind"


def test_what_was_not_reached_is_listed_as_not_checked():
    findings = checks.completed([checks.failed("clocks", TimeoutError("no answer"))], is_in_vacuum=True)
    assert tuple(one.what for one in findings) == checks.CHECKS
    assert red(findings) == {"clocks"}
    assert {one.verdict for one in findings if one.what != "clocks"} == {Verdict.NOT_CHECKED}


def test_the_error_lists_what_is_red_and_how_to_go_on():
    error = checks.PreflightError("H1", [Finding("disk", Verdict.RED, "1 GB", "2 GB", "make room")])
    assert "preflight of H1 found 1 red" in str(error)
    assert "disk: 1 GB (limit: 2 GB); make room" in str(error)
