"""Conditions: what they accept, how they read, what can never be due."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.orchestration.occasions import Occasions, check_when, condition
from intercalate.orchestration.when import When, WhenError
from intercalate.protocol import BoundProgram, Protocol, bind

TIMES = {"every": {"time_s": 60.0}}

LEAVES = st.one_of(
    st.builds(lambda s: {"every": {"time_s": s}}, st.floats(1, 1e5)),
    st.builds(lambda v: {"at": {"voltage_V": v}}, st.lists(st.floats(2.5, 4.2), min_size=1, max_size=3)),
    st.builds(lambda s: {"on": {"plateau": {"below_mV_per_h": s}}}, st.floats(0.1, 100)),
    st.builds(lambda w: {"on": {"dqdv_peak": {"width_mV": w}}}, st.floats(1, 50)),
)
LIMITED = st.builds(
    lambda one, more: {**one, **more},
    LEAVES,
    st.fixed_dictionaries({}, optional={"limit": st.integers(1, 9), "cooldown_s": st.floats(1, 1e4)}),
)
CONDITIONS = st.recursive(
    LIMITED,
    lambda parts: st.builds(
        lambda kind, some: {kind: some},
        st.sampled_from(["any", "all"]),
        st.lists(parts, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@pytest.fixture
def program() -> BoundProgram:
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    cell = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")
    return bind(Protocol.from_file(EXAMPLES / "protocols" / "formation_c10.json"), cell, site)


@given(CONDITIONS)
def test_conditions_survive_json(content: dict[str, Any]) -> None:
    when = When.of(content)
    assert When.of(json.loads(json.dumps(when.given()))) == when
    assert when.describe()
    Occasions(when)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "give exactly one of every, at, on, any, all"),
        ({**TIMES, "at": {"voltage_V": [3.9]}}, "give exactly one of"),
        ({"evry": {"time_s": 60}}, "did you mean every"),
        ({"every": {}}, "give at least one of time_s, voltage_V, capacity_mAh, soc, cycles"),
        ({"every": {"time_s": 0}}, "every.time_s"),
        ({"every": {"time_s": float("nan")}}, "every.time_s"),
        ({"every": {"time": 60}}, "did you mean time_s"),
        ({"every": {"voltage_V": 9}}, "every.voltage_V"),
        ({"every": {"soc": 2}}, "every.soc"),
        ({"every": {"cycles": 0.5}}, "every.cycles"),
        ({"at": {}}, "give at least one of voltage_V, soc, capacity_mAh, step"),
        ({"at": {"voltage_V": []}}, "at.voltage_V"),
        ({"at": {"soc": [1.5]}}, "at.soc"),
        ({"at": {"step": [0]}}, "at.step"),
        ({"at": {"step": [1], "direction": "up"}}, "only a level has a direction"),
        ({"at": {"voltage_V": [3.9], "direction": "charge"}}, "at.direction"),
        ({"on": {}}, "give exactly one of plateau, dqdv_peak, function"),
        ({"on": {"plateau": {"below_mV_per_h": -1}}}, "on.plateau.below_mV_per_h"),
        ({"on": {"dqdv_peak": {"prominence": 1.0}}}, "on.dqdv_peak.prominence"),
        ({"any": []}, "any"),
        ({"any": [{"every": {"time_s": 60}}, {"at": {"volt": [3]}}]}, "did you mean voltage_V"),
        ({**TIMES, "limit": 0}, "limit"),
        ({**TIMES, "cooldown_s": -5}, "cooldown_s"),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_remedy(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(WhenError) as refused:
        When.of(wrong)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"at": {"voltage_V": [3.9, 4.5]}}, ("at.voltage_V", "4.5", "within 0 to 4.3 V")),
        ({"at": {"step": [1, 9]}}, ("at.step", "9", "steps 1 to 5")),
        ({"at": {"soc": [0.5]}}, ("at.soc", "give initial_soc")),
        ({"any": [TIMES, {"all": [{"at": {"step": [7]}}]}]}, ("any[1].all[0].at.step", "7")),
    ],
)
def test_what_can_never_be_due_is_refused(
    program: BoundProgram, when: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(WhenError) as refused:
        check_when(When.of(when), program)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_a_function_that_nobody_has_registered_is_named_with_those_that_are() -> None:
    @condition
    def hot(record: dict[str, float], kept: dict[str, Any]) -> bool:
        return record["surface_temperature_celsius"] > 40

    when = When.of({"any": [TIMES, {"on": {"function": "hto"}}]})
    with pytest.raises(WhenError, match=r"(?s)any\[1\]\.on\.function.*hto.*registered are: .*hot"):
        check_when(when)
    check_when(When.of({"on": {"function": "hot"}}))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"every": {"time_s": 300, "voltage_V": 0.01}}, "every 300 s or 0.01 V"),
        ({"at": {"voltage_V": [3.6, 3.9], "direction": "up"}}, "at 3.6, 3.9 V going up"),
        ({"at": {"step": [2]}, "limit": 3}, "at step 2, 3 times at most"),
        (
            {"any": [TIMES, {"on": {"plateau": {"below_mV_per_h": 20}}}], "cooldown_s": 120},
            "every 60 s or on a plateau flatter than 20 mV/h, 120 s apart at least",
        ),
        (
            {"all": [{"any": [TIMES, {"on": {"function": "hot"}}]}, {"at": {"soc": [0.5]}}]},
            "(every 60 s or on hot) and at state of charge 0.5",
        ),
    ],
)
def test_it_says_what_it_does(when: dict[str, Any], words: str) -> None:
    assert When.of(when).describe() == words


def test_only_plain_times_can_be_foreseen() -> None:
    assert When.of(TIMES).period_s == 60.0
    for one in (
        {"every": {"soc": 0.1}},
        {"every": {"time_s": 60, "soc": 0.1}},
        {**TIMES, "limit": 2},
        {"any": [TIMES]},
    ):
        assert When.of(one).period_s is None
