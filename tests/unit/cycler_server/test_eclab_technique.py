"""Segments as techniques of EC-Lab: what is written, and what the instrument watches by itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.contract import Capability, ControlMode, EndReason, StepType
from intercalate.cycler_server.channel import ChannelError, Sample
from intercalate.cycler_server.charge_counter import ChargeCounter
from intercalate.cycler_server.eclab import why_ended
from intercalate.cycler_server.eclab_technique import CURRENT_RANGES_A, current_range, technique_of
from intercalate.protocol import CutOff, Segment, SiteLimits
from intercalate.protocol.segment import Quantity

SITE = SiteLimits(
    min_voltage_V=0.0,
    max_voltage_V=4.5,
    max_current_mA=50.0,
    min_temperature_C=0.0,
    max_temperature_C=60.0,
    max_duration_s=1e6,
    interlock_delay_s=5.0,
)


def at_voltage(value: float, comparison: str) -> CutOff:
    return CutOff(Quantity.VOLTAGE_V, comparison, value, EndReason.VOLTAGE)  # type: ignore[arg-type]


def segment(mode: ControlMode, setpoint: float = 0.0, *cuts: CutOff, duration_s: float = 3600.0) -> Segment:
    kind = {
        ControlMode.REST: StepType.REST,
        ControlMode.CURRENT: StepType.CONSTANT_CURRENT,
        ControlMode.VOLTAGE: StepType.CONSTANT_VOLTAGE,
        ControlMode.POWER: StepType.CONSTANT_POWER,
    }[mode]
    timed = CutOff(Quantity.TIME_S, ">=", duration_s, EndReason.TIME)
    return Segment(1, kind, mode, setpoint, (*cuts, timed), worst_case_s=duration_s)


def met(technique: dict, name: str, figure: float) -> bool:
    """Whether a test of a technique is met, by the bits as the driver documents them."""
    bits, value = technique[f"{name}CONF"][0], technique[f"{name}VAL"][0]
    return bool(bits & 1) and (figure >= value if bits & 4 else figure <= value)


def test_a_charge_is_ended_by_its_voltage_and_its_time() -> None:
    found = technique_of(segment(ControlMode.CURRENT, 2e-3, at_voltage(4.2, ">=")), SITE, 1.0)
    assert found.pvs("X:C0:")["X:C0:T:CPLIMIT:0:ISTEP:SP"] == [2e-3]
    assert found.pvs("X:C0:")["X:C0:T:CPLIMIT:0:DURSTEP:SP"] == [3600.0]
    assert found.parameters["IRANGE"] == 8
    assert found.parameters["EXITCOND"] == [2]
    assert met(found.parameters, "TEST1", 4.2)
    assert not met(found.parameters, "TEST1", 4.19)
    assert not met(found.parameters, "TEST2", -1.0)


@given(st.floats(-0.05, 0.05).filter(lambda one: one != 0), st.none() | st.floats(-1.0, 5.0))
def test_whatever_a_current_step_says_the_site_s_voltages_end_it(
    current_a: float, cut_v: float | None
) -> None:
    cuts = [] if cut_v is None else [at_voltage(cut_v, ">=" if current_a > 0 else "<=")]
    found = technique_of(segment(ControlMode.CURRENT, current_a, *cuts), SITE, 1.0).parameters
    beyond_v = SITE.max_voltage_V if current_a > 0 else SITE.min_voltage_V
    assert met(found, "TEST1", beyond_v)
    if cut_v is not None:
        assert met(found, "TEST1", cut_v)


@given(st.floats(1e-9, 1.0))
def test_the_smallest_range_that_holds_the_current_is_taken(current_a: float) -> None:
    code = current_range(-current_a)
    assert CURRENT_RANGES_A[code] >= current_a
    assert code == min(CURRENT_RANGES_A) or CURRENT_RANGES_A[code - 1] < current_a


def test_a_hold_ends_beyond_the_site_s_current() -> None:
    found = technique_of(segment(ControlMode.VOLTAGE, 4.2), SITE, 1.0)
    assert found.name == "CALIMIT"
    assert met(found.parameters, "TEST1", 0.05)
    assert met(found.parameters, "TEST2", -0.05)
    assert not met(found.parameters, "TEST1", 0.0)
    assert not met(found.parameters, "TEST2", 0.0)


def test_what_has_no_technique_is_refused() -> None:
    power = segment(ControlMode.POWER, 1e-3)
    assert power.capability is Capability.CONSTANT_POWER
    with pytest.raises(ChannelError, match="no technique in the driver"):
        technique_of(power, SITE, 1.0)
    with pytest.raises(ChannelError, match="beyond the largest range"):
        technique_of(segment(ControlMode.CURRENT, 2.0), SITE, 1.0)


def sample(unix_s: float, voltage_v: float = 3.7) -> Sample:
    return Sample(unix_s, voltage_v, 1e-3, 0.0, 25.0)


@pytest.mark.parametrize(
    ("elapsed_s", "voltage_v", "reason"),
    [
        (3599.0, 3.7, EndReason.TIME),
        (1000.0, 4.18, EndReason.VOLTAGE),
        (1000.0, 3.7, EndReason.NONE),
        (1000.0, math.nan, EndReason.NONE),
    ],
)
def test_why_the_instrument_has_ended_it(elapsed_s: float, voltage_v: float, reason: EndReason) -> None:
    wanted = segment(ControlMode.CURRENT, 2e-3, at_voltage(4.2, ">="))
    last = sample(elapsed_s, voltage_v)
    assert why_ended(wanted, technique_of(wanted, SITE, 1.0), elapsed_s, last) is reason


def test_the_counter_outlives_the_server_and_counts_what_nobody_saw(tmp_path) -> None:
    counter = ChargeCounter(tmp_path / "charge.json")
    counter.add(1000.0, 0.0)
    counter.until(1000.0 + 3600.0)
    counter.add(1000.0, 1e-3)
    assert counter.add(2800.0, 1e-3) == pytest.approx(0.5e-3, rel=1e-3)
    counter._write()
    # The server was away for a day; the technique could last for half an hour more.
    later = ChargeCounter(tmp_path / "charge.json")
    assert later.add(90000.0, 0.0) == pytest.approx(1e-3, rel=1e-3)
    assert later.add(91000.0, 0.0) == pytest.approx(1e-3, rel=1e-3)


def test_a_damaged_counter_begins_anew(tmp_path) -> None:
    (tmp_path / "charge.json").write_text("{")
    assert ChargeCounter(tmp_path / "charge.json").add(0.0, 1e-3) == 0.0
