"""Impedance and voltage scans: what is bound, how long it takes, what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.contract import Capability
from intercalate.protocol import BoundProgram, Spectrum

from .samples import few, make_site
from .test_binding import bind_all, refused

ABLE = {"capabilities": list(Capability)}
SPECTRUM = {
    "step": "impedance_spectroscopy",
    "amplitude_V": 0.01,
    "start_frequency_Hz": 1e4,
    "end_frequency_Hz": 0.1,
    "points_per_decade": 5,
    "measures_per_point": 3,
}
SCAN = {"step": "voltage_scan", "start_voltage_V": 3.0, "end_voltage_V": 4.0, "scan_rate_mV_per_s": 2.0}


def test_a_spectrum_takes_its_periods_and_more_at_worst():
    program = bind_all(SPECTRUM, site=ABLE)
    (segment,) = program.segments()
    assert segment.spectrum is not None
    frequencies = segment.spectrum.frequencies_hz
    assert len(frequencies) == 26
    assert np.diff(np.log10(frequencies)) == pytest.approx(np.full(25, -0.2))
    periods_s = 3 * sum(1 / one for one in frequencies)
    assert segment.spectrum.ends_s[-1] == pytest.approx(periods_s)
    assert periods_s < program.worst_case_s == pytest.approx(1.5 * periods_s + 2 * 26)
    assert program.capabilities == {Capability.IMPEDANCE_SPECTROSCOPY}


def test_a_long_spectrum_counts_in_the_limit_of_the_site():
    found = refused(SPECTRUM | {"end_frequency_Hz": 1e-4}, site=ABLE | {"max_duration_s": 3600.0})
    assert list(found) == ["method"]


@few
@given(st.floats(1e-5, 1e5), st.floats(1e-5, 1e5), st.integers(1, 20), st.integers(1, 5))
def test_frequencies_go_from_start_to_end(start_hz, end_hz, points, measures):
    spectrum = Spectrum(start_hz, end_hz, points, measures, amplitude_v=0.01)
    found = spectrum.frequencies_hz
    assert found[0] == pytest.approx(start_hz)
    assert found[-1] == pytest.approx(end_hz)
    steps = np.diff(found)
    assert np.all(steps >= 0) or np.all(steps <= 0)
    assert list(spectrum.ends_s) == sorted(spectrum.ends_s)


def test_a_scan_lasts_as_long_as_its_way():
    program = bind_all(SCAN, site=ABLE)
    (segment,) = program.segments()
    assert program.worst_case_s == pytest.approx(500.0)
    assert program.capabilities == {Capability.VOLTAGE_SCAN}
    assert [segment.setpoint_at(t) for t in (-1, 0, 250, 500, 1e9)] == pytest.approx([3, 3, 3.5, 4, 4])
    assert BoundProgram.from_json(program.to_json()) == program


@few
@given(st.floats(2.5, 4.2), st.floats(2.5, 4.2), st.floats(0.01, 100), st.floats(0, 1e6))
def test_a_ramp_never_leaves_its_ends(start_v, end_v, rate, elapsed_s):
    step = SCAN | {"start_voltage_V": start_v, "end_voltage_V": end_v, "scan_rate_mV_per_s": rate}
    if start_v == end_v:
        assert refused(step, site=ABLE)
        return
    (segment,) = bind_all(step, site=ABLE).segments()
    assert min(start_v, end_v) <= segment.setpoint_at(elapsed_s) <= max(start_v, end_v)


@pytest.mark.parametrize(
    ("step", "where"),
    [
        (SPECTRUM | {"amplitude_V": 0.0}, "amplitude_V"),
        (SPECTRUM | {"amplitude_V": None, "amplitude_mA": 200.0}, "amplitude_mA"),
        (SPECTRUM | {"drift_correction": True}, "drift_correction"),
        (SCAN | {"end_voltage_V": 4.5}, "end_voltage_V"),
        (SCAN | {"start_voltage_V": 1.5}, "start_voltage_V"),
        (SCAN | {"end_voltage_V": 3.0}, "end_voltage_V"),
    ],
)
def test_what_cannot_be_is_refused_by_name(step, where):
    assert list(refused(step, site=ABLE)) == [f"method[0].{where}"]


@pytest.mark.parametrize("step", [SPECTRUM, SCAN])
def test_a_site_that_does_not_declare_it_refuses_it(step):
    (text,) = refused(step).values()
    assert "[site] capabilities" in text


def altered(program: BoundProgram, **part: Any) -> list[str]:
    """What a server says of a program that was changed on its way."""
    content = json.loads(program.to_json())
    content["blocks"][0]["parts"][0].update(part)
    changed = BoundProgram.from_json(json.dumps(content))
    return [str(problem) for problem in changed.problems_at(make_site(**ABLE))]


def test_a_server_checks_what_came_over_the_wire():
    scan, spectrum = bind_all(SCAN, site=ABLE), bind_all(SPECTRUM, site=ABLE)
    assert altered(scan) == altered(spectrum) == []
    assert any("setpoint beyond" in text for text in altered(scan, end_setpoint=4.8))
    assert any("end and its rate" in text for text in altered(scan, ramp_per_s=None))
    assert any("at rest" in text for text in altered(spectrum, mode="CURRENT", setpoint=0.001))
    fields = json.loads(spectrum.to_json())["blocks"][0]["parts"][0]["spectrum"]
    assert any("one amplitude" in text for text in altered(spectrum, spectrum=fields | {"amplitude_a": 0.1}))
    loud = fields | {"amplitude_a": 9.0, "amplitude_v": None}
    assert any("beyond 0.1 A" in text for text in altered(spectrum, spectrum=loud))
