import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.materials import GRAPHITE, NMC811
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.probes.lattice import (
    SOLUTION_SHARE,
    crystallites,
    graphite_stages,
    lithium_rich_lattice,
    olivine_phases,
    oxide_lattice,
    solution_share,
)

from .cells import electrode

fractions = st.floats(0.0, 1.0)


@given(x=st.lists(fractions, min_size=1, max_size=20))
def test_stages_hold_all_the_carbon_and_all_the_lithium(x):
    x = np.array(x)
    shares = graphite_stages(x)
    np.testing.assert_allclose(sum(share.fraction for share in shares), 1.0, atol=1e-12)
    np.testing.assert_allclose(sum(share.fraction * share.li_content for share in shares), x, atol=1e-12)
    assert all((share.fraction >= 0).all() for share in shares)


@pytest.mark.parametrize(
    ("x", "stage"), [(0.03, "1'"), (0.17, "4"), (0.23, "3"), (0.33, "2L"), (0.5, "2"), (1.0, "1")]
)
def test_stage_is_alone_in_its_window_with_spacings_of_the_table(x, stage):
    alone = [share for share in graphite_stages(np.array([x])) if share.fraction[0] > 1e-9]
    assert [share.stage for share in alone] == [stage]
    table = GRAPHITE.stage(stage)
    low, high = table.layer_spacing_angstrom
    assert low - 1e-9 <= alone[0].layer_spacing_angstrom[0] <= high + 1e-9


def test_two_and_one_share_by_the_lever_rule():
    shares = {share.stage: share.fraction[0] for share in graphite_stages(np.array([0.8]))}
    assert shares["1"] == pytest.approx(0.6)
    assert shares["2"] == pytest.approx(0.4)


def test_oxide_lattice_passes_through_the_table():
    x = np.array([row.li_content for row in NMC811.lattice])
    a, c = oxide_lattice(x)
    np.testing.assert_allclose(a, [row.a_angstrom for row in NMC811.lattice])
    np.testing.assert_allclose(c, [row.c_angstrom for row in NMC811.lattice])


def test_crystallites_have_the_mean_and_spread_of_their_slices():
    sample = crystallites([(1.0, electrode("NMC811", 0.5, spread=0.03))])
    assert np.dot(sample.weight, sample.li_content) == pytest.approx(0.5)
    assert np.sqrt(np.dot(sample.weight, (sample.li_content - 0.5) ** 2)) == pytest.approx(0.03)
    assert sample.depth_um.min() > 0
    assert sample.depth_um.max() < 65.0


def test_weights_of_states_average_over_time():
    sample = crystallites([(3.0, electrode("NMC811", 0.4)), (1.0, electrode("NMC811", 0.8))])
    assert np.dot(sample.weight, sample.li_content) == pytest.approx(0.5)


def test_electrode_without_slices_is_refused():
    with pytest.raises(ValueError, match="0 slices"):
        crystallites([(1.0, ElectrodeState("graphite", (), (), 75.0, 11.0))])


OLIVINES = st.sampled_from(["staged", "static", "slow_solution"])


@given(x=st.lists(fractions, min_size=1, max_size=20), host=OLIVINES, rate_per_h=st.floats(0.0, 50.0))
def test_phases_of_lfp_hold_all_the_iron_and_all_the_lithium(x, host, rate_per_h):
    x = np.array(x)
    shares = olivine_phases(x, host, rate_per_h)
    np.testing.assert_allclose(sum(share.fraction for share in shares), 1.0, atol=1e-12)
    np.testing.assert_allclose(sum(share.fraction * share.li_content for share in shares), x, atol=1e-12)
    assert all((share.fraction >= 0).all() for share in shares)
    # Beyond these contents the table knows no lattice.
    poor, rich = shares
    assert poor.li_content[poor.fraction > 1e-9].max(initial=0.0) <= 0.4
    assert rich.li_content[rich.fraction > 1e-9].min(initial=1.0) >= 0.6


@pytest.mark.parametrize(("host", "direction"), [("staged", 1), ("slow_solution", -1), ("static", 0)])
def test_phases_of_lfp_change_with_rate_as_their_world_says(host, direction):
    slow, fast = (solution_share(rate, host) for rate in (0.5, 2.0))
    assert np.sign(fast - slow) == direction
    assert max(slow, fast) < SOLUTION_SHARE
    for rate_per_h, share in ((0.5, slow), (2.0, fast)):
        for phase in olivine_phases(np.array([0.3, 0.7]), host, rate_per_h):
            assert np.diff(phase.li_content)[0] == pytest.approx(0.4 * share, abs=1e-12)


@pytest.mark.parametrize(
    ("host", "c_before", "c_after", "a_before", "a_after"),
    [("staged", 1, -1, -1, 0), ("steady", 1, 1, -1, -1), ("mirrored", -1, 1, 1, 0)],
)
def test_layers_of_the_lithium_rich_oxide_move_as_their_world_says(
    host, c_before, c_after, a_before, a_after
):
    a, c = lithium_rich_lattice(np.array([1.0, 0.6, 0.25]), host)
    assert np.sign(np.diff(c)).tolist() == [c_before, c_after]
    assert np.sign(np.diff(a).round(6)).tolist() == [a_before, a_after]
    fresh_a, fresh_c = lithium_rich_lattice(np.array([1.0]))
    assert (a[0], c[0]) == pytest.approx((fresh_a[0], fresh_c[0]))
