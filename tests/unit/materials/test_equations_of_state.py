"""Equations of state: there and back, and the scale of gold against other people's tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.materials import Mark
from intercalate.materials.equations_of_state import MARKERS, EquationOfState

GOLD = MARKERS["Au"]


@given(
    pressure_gpa=st.floats(0.0, 60.0),
    modulus_gpa=st.floats(20.0, 400.0),
    slope=st.floats(3.0, 7.0),
)
def test_volume_and_pressure_are_each_others_inverse(pressure_gpa, modulus_gpa, slope):
    law = EquationOfState(291.0, modulus_gpa, slope)
    try:
        volume = law.volume_at(pressure_gpa)
    except ValueError:
        assert float(law.pressure_gpa(0.5 * 291.0)) < pressure_gpa
        return
    assert float(law.pressure_gpa(volume)) == pytest.approx(pressure_gpa, abs=1e-6)


def test_the_modulus_is_minus_v_dp_by_dv():
    law = EquationOfState(291.0, 130.0, 4.6)
    volume = np.linspace(240.0, 292.0, 12)
    step = 1e-3
    slope = (law.pressure_gpa(volume + step) - law.pressure_gpa(volume - step)) / (2 * step)
    np.testing.assert_allclose(law.modulus_gpa(volume), -volume * slope, rtol=1e-6)
    assert float(law.modulus_gpa(291.0)) == pytest.approx(130.0)


def test_no_volume_belongs_to_a_pressure_beyond_the_equation():
    with pytest.raises(ValueError, match="no volume belongs to 1e\\+06 GPa"):
        EquationOfState(291.0, 130.0, 4.0).volume_at(1e6)


def test_gold_is_a_scale_whose_uncertainty_covers_others():
    """Heinz and Jeanloz (1984) and Anderson et al. (1989) give 166.65 GPa, and 5.48 as its slope."""
    assert GOLD.source.mark is Mark.VERIFIED
    other = EquationOfState(GOLD.law.volume_angstrom3, 166.65, 5.48)
    volume = GOLD.law.volume_at(20.0)
    off = float(other.pressure_gpa(volume)) - 20.0
    declared = np.hypot(*(float(one.pressure_gpa(volume)) - 20.0 for one in GOLD.variations()))
    assert 0.1 < abs(off) < 3 * declared
