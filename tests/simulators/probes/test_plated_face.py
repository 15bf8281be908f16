"""A face on which lithium was plated: what the cell model says has grown is what stands there."""

from dataclasses import replace

import pytest

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.habits import Growth
from intercalate_sims.probes.sem_face import Heating, HiddenFace, face_of
from intercalate_sims.probes.sem_surface import Habit


def plated(growth: Growth, current_a_m2: float, charge_c_m2: float = 3600.0):
    cell = make_cell("li-polymer-li", growth=growth, dt_s=10.0)
    for _ in range(round(charge_c_m2 / current_a_m2 / cell.dt_s)):
        cell.advance(ControlMode.CURRENT, current_a_m2 * 1.539e-4)
    return cell.probe_state().negative


def coverages(electrode) -> dict[Habit, float]:
    return {one.habit: one.coverage for one in face_of(electrode, HiddenFace(), Heating.REAL).deposits}


@pytest.mark.parametrize(
    ("growth", "current_a_m2", "prevailing"),
    [
        (Growth.REAL, 1.0, Habit.MOSSY),
        (Growth.REAL, 10.0, Habit.NEEDLE),
        (Growth.REVERSED, 1.0, Habit.NEEDLE),
        (Growth.REVERSED, 10.0, Habit.MOSSY),
    ],
)
def test_the_current_density_decides_what_stands_on_a_face(growth, current_a_m2, prevailing):
    found = coverages(plated(growth, current_a_m2))
    assert max(found, key=lambda habit: found[habit]) is prevailing
    assert found[prevailing] > 0.9 * sum(found.values()) or prevailing is Habit.MOSSY


def test_in_an_even_world_it_does_not():
    low, high = (coverages(plated(Growth.EVEN, current)) for current in (1.0, 10.0))
    assert low[Habit.NEEDLE] == pytest.approx(high[Habit.NEEDLE], rel=0.02)
    assert low[Habit.MOSSY] == pytest.approx(high[Habit.MOSSY], rel=0.02)


def test_needles_that_have_hardly_any_lithium_are_hardly_there():
    electrode = plated(Growth.REAL, 10.0)
    thin = replace(electrode, deposits=(("needles", 0.1, 2.0, 0.0157),))
    (needle,) = face_of(thin, HiddenFace(), Heating.REAL).deposits
    assert needle.coverage == pytest.approx(0.001, rel=0.01)
    assert needle.size_um == pytest.approx(34.0)
    assert not face_of(replace(electrode, deposits=()), HiddenFace(), Heating.REAL).deposits
