"""Strategies and makers that the tests of protocols share."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from intercalate.cell import Cell
from intercalate.protocol import SiteLimits

few = settings(max_examples=30, deadline=None)

times = st.floats(1.0, 1e5)
voltages = st.floats(2.6, 4.1)
rates = st.floats(0.01, 2.0).flatmap(lambda size: st.sampled_from([size, -size]))


def make_cell(**changes: Any) -> Cell:
    """NMC811 against graphite, 10 mAh, 2.5 V to 4.2 V."""
    content = {
        "name": "test cell",
        "format": "coin",
        "positive": {"material": "NMC811"},
        "negative": {"material": "graphite"},
        "working": "positive",
        "one_c_current_mA": 10.0,
        "one_c_basis": "nominal",
        "min_voltage_V": 2.5,
        "max_voltage_V": 4.2,
    }
    return Cell.from_dict(content | changes)


def make_site(**changes: Any) -> SiteLimits:
    """A site that allows much."""
    limits: dict[str, Any] = {
        "min_voltage_V": -0.5,
        "max_voltage_V": 5.0,
        "max_current_mA": 100.0,
        "min_temperature_C": 0.0,
        "max_temperature_C": 60.0,
        "max_duration_s": 1e12,
        "interlock_delay_s": 5.0,
    }
    return SiteLimits(**(limits | changes))


def _with(step: str, optional: dict[str, Any] | None = None, **fields: Any) -> st.SearchStrategy:
    required = {"step": st.just(step), **fields}
    return st.fixed_dictionaries(required, optional=optional or {})


def drives() -> st.SearchStrategy:
    """Steps that do something, as they stand in a file."""
    return st.one_of(
        _with("open_circuit_voltage", until_time_s=times),
        _with(
            "constant_current",
            {"until_voltage_V": voltages, "id": st.text(max_size=5)},
            rate_C=rates,
            until_time_s=times,
        ),
        _with("constant_current", current_mA=rates, until_voltage_V=voltages),
        _with("constant_voltage", {"until_rate_C": st.just("C/20")}, voltage_V=voltages, until_time_s=times),
        _with(
            "cccv", rate_C=st.sampled_from([0.1, 0.5, "C/3"]), voltage_V=voltages, until_rate_C=st.just(0.05)
        ),
        _with("constant_power", power_mW=rates, until_time_s=times),
        _with(
            "gitt",
            {"until_voltage_V": voltages},
            rate_C=rates,
            pulse_time_s=times,
            rest_time_s=times,
            pulse_count=st.integers(1, 5),
        ),
        _with(
            "pitt",
            start_voltage_V=voltages,
            end_voltage_V=voltages,
            step_mV=st.floats(50, 500),
            until_time_s=times,
        ),
        _with("wait_for_release", {"hold_voltage_V": voltages}, max_s=times),
    )


@st.composite
def methods(draw: st.DrawFn, depth: int = 2) -> list[dict[str, Any]]:
    """Methods with properly nested loops, by number and by tag."""
    method: list[dict[str, Any]] = []

    def add(levels: int) -> None:
        for _ in range(draw(st.integers(1, 3))):
            if levels and draw(st.booleans()):
                start: int | str = len(method) + 1
                if draw(st.booleans()):
                    start = f"tag {len(method)}"
                    method.append({"step": "tag", "tag": start})
                add(levels - 1)
                method.append({"step": "loop", "loop_to": start, "cycle_count": draw(st.integers(1, 3))})
            else:
                if draw(st.integers(0, 4)) == 0:
                    method.append({"step": "marker", "marker": "here"})
                method.append(draw(drives()))

    add(depth)
    return method


def contents() -> st.SearchStrategy:
    """Contents of valid protocol files."""
    return st.fixed_dictionaries(
        {
            "record": st.fixed_dictionaries({"time_s": times}, optional={"voltage_V": st.floats(0.001, 1)}),
            "method": methods(),
        },
        optional={
            "safety": st.fixed_dictionaries(
                {}, optional={"max_voltage_V": st.floats(4.3, 5), "delay_s": st.just(None)}
            ),
            "sample": st.fixed_dictionaries({}, optional={"name": st.text(), "capacity_mAh": st.just(10)}),
        },
    )
