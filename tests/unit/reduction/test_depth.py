"""How lines see a coating in reflection."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.reduction.conversion import ABSENT_SIGMA
from intercalate.reduction.depth import FRONT, Coating, Reflecting, front_share, seen
from intercalate.reduction.results import UNDETERMINED, Estimate

COATING = Coating(150.0, 9.3e-4, 0.01, 15.0)
LINE_DEG = 10.4

angles = st.floats(0.3, 8.0)


@given(angles, angles)
def test_the_smaller_the_angle_the_nearer_is_what_is_seen(one, other):
    low, high = sorted((one, other))
    near, far = (seen(COATING, angle, 2 * LINE_DEG) for angle in (low, high))
    assert near.mean_depth_um <= far.mean_depth_um + 1e-9
    assert near.front_share >= far.front_share - 1e-9


@given(angles)
def test_without_losses_all_of_the_coating_counts_alike(angle_deg):
    clear = seen(replace(COATING, per_um=1e-9, cover=0.0), angle_deg, LINE_DEG)
    assert clear.effective_um == pytest.approx(COATING.thickness_um, rel=1e-3)
    assert clear.front_share == pytest.approx(FRONT, rel=1e-3)
    assert clear.mean_depth_um == pytest.approx(COATING.thickness_um / 2, rel=1e-3)


def test_the_error_of_the_share_is_that_of_what_is_stated():
    found = front_share(COATING, 2.0, LINE_DEG)
    surer = front_share(replace(COATING, per_um_sigma=0.0, incidence_sigma_deg=0.0), 2.0, LINE_DEG)
    denser = front_share(replace(COATING, per_um=COATING.per_um * 1.06), 2.0, LINE_DEG)
    assert surer.sigma_sys == 0.0
    assert 0.0 < denser.value - found.value <= found.sigma_sys


def test_a_line_below_the_horizon_is_refused():
    with pytest.raises(
        ValueError, match=r"no ray at 2theta = 5\.5 deg leaves the sample; take a smaller angle"
    ):
        seen(COATING, 6.0, 5.5)


def test_a_phase_that_was_not_found_may_be_there_all_the_same():
    found = Estimate(9.85, 1e-3, 1e-3)
    result = SimpleNamespace(
        converged=True,
        present={"LFP": False, "FePO4": True},
        parameters={"LFP.a": UNDETERMINED, "FePO4.a": found},
    )
    lithium = Reflecting(COATING, 1.0).lithium(result, 0.4959)
    assert lithium.value == pytest.approx(0.07, abs=0.03)
    assert lithium.sigma_sys >= ABSENT_SIGMA
