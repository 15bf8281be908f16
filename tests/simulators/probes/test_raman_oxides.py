"""Spectra of an oxide in, oxidation states and lithium out, against a simulator that shares only tables."""

import json
from dataclasses import replace

import numpy as np
import pytest

from intercalate.contract import ControlMode
from intercalate.materials.raman_oxides import FRAMEWORK, OXIDES, OxideBand, RedoxOxide
from intercalate.reduction.bands import Spectrum
from intercalate.reduction.raman import OxideState, oxide_states
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.probes.raman_oxides import HiddenOxide, ions_at, ions_of, oxide_lines

from .test_raman import EXPOSURE_S, Instrument

SPINEL = OXIDES["LMNO-Cr"]
NO_ERRORS = HiddenOxide((1.0,) * 5, (1.0,) * 5, (0.0,) * 5, 1.0, 0.0)


def state_of(
    one: Instrument, oxide: RedoxOxide, li_content: float, hidden: HiddenOxide, power_mw: float = 1.0
):
    ions = ions_at(oxide, li_content, hidden.metal_content)
    electrons = one.probe.oxide(oxide_lines(oxide, ions, li_content, hidden), power_mw, EXPOSURE_S)
    (found,) = oxide_states([Spectrum(one.axis.shift_per_cm, *one.reduced(electrons))], one.axis, oxide)
    assert isinstance(found, OxideState)
    return found, ions


@pytest.fixture(scope="module")
def instruments():
    return [Instrument(seed) for seed in range(12)]


@pytest.mark.parametrize("li_content", [1.0, 0.8, 0.55, 0.3, 0.1])
def test_errors_cover_shares_number_and_lithium(instruments, li_content):
    pulls = []
    for seed, one in enumerate(instruments):
        for again in range(4):
            hidden = HiddenOxide.draw(100 * again + seed, SPINEL)
            found, ions = state_of(one, SPINEL, li_content, hidden)
            number = sum(SPINEL.number_of[ion] * share for ion, share in ions.items())
            pulls.append((found.oxidation_number.value - number) / found.oxidation_number.sigma)
            pulls.append((found.li_content.value - li_content) / found.li_content.sigma)
            assert sum(one.value for one in found.shares.values()) == pytest.approx(1.0)
            assert all(abs(found.shares[ion].value - ions[ion]) < 0.35 for ion in ions)
    assert np.mean(np.abs(pulls) < 2.0) > 0.9
    assert np.abs(pulls).max() < 4.0


def test_the_statistical_error_is_the_spread(instruments):
    for li_content in (0.8, 0.3):
        found = [state_of(instruments[4], SPINEL, li_content, NO_ERRORS)[0] for _ in range(100)]
        values = [one.oxidation_number.value for one in found]
        stated = np.mean([one.oxidation_number.sigma_stat for one in found])
        assert np.std(values) / stated == pytest.approx(1.0, abs=0.25)


def test_a_spectrum_without_light_says_nothing(instruments):
    found, _ = state_of(instruments[0], SPINEL, 0.5, NO_ERRORS, power_mw=0.0)
    assert np.isnan(found.li_content.value)
    assert all(np.isnan(one.value) for one in found.shares.values())


def test_a_further_oxide_is_data(instruments):
    """One of whose ions has a single band, and the other none."""
    source = SPINEL.bands[0].source
    bands = (
        OxideBand("M3+-O", "Ni3+", 480.0, 25.0, 0.8, source),
        OxideBand("frame", FRAMEWORK, 600.0, 30.0, 1.0, source),
    )
    oxide = RedoxOxide("LiMO2", "Ni", (3, 4), 1.0, -4.0, bands, 0.1)
    hidden = HiddenOxide.draw(3, oxide)
    found, ions = state_of(instruments[1], oxide, 0.4, hidden)
    assert set(found.shares) == {"Ni3+", "Ni4+"}
    assert abs(found.li_content.value - 0.4) < 3 * found.li_content.sigma
    assert abs(found.shares["Ni4+"].value - ions["Ni4+"]) < 3 * found.shares["Ni4+"].sigma


def test_neighbouring_states_lie_beside_each_other():
    assert ions_at(SPINEL, 1.0) == pytest.approx({"Ni2+": 1.0, "Ni3+": 0.0, "Ni4+": 0.0})
    assert ions_at(SPINEL, 0.55) == pytest.approx({"Ni2+": 0.0, "Ni3+": 1.0, "Ni4+": 0.0})
    assert ions_at(SPINEL, 0.325) == pytest.approx({"Ni2+": 0.0, "Ni3+": 0.5, "Ni4+": 0.5})
    assert ions_at(SPINEL, 0.0)["Ni4+"] == 1.0


def test_other_hosts_do_not_follow_or_do_not_come_back():
    electrode = ElectrodeState("LMNO-Cr", (0.9,), (0.0,), 60.0, 16.0)
    real = ions_of(electrode, SPINEL, 0.9, NO_ERRORS)
    spectator = ions_of(replace(electrode, host=Host.SPECTATOR), SPINEL, 0.2, NO_ERRORS)
    stuck = ions_of(replace(electrode, host=Host.STUCK, emptied_to=(0.1,)), SPINEL, 0.9, NO_ERRORS)
    assert real == ions_at(SPINEL, 0.9)
    assert spectator == {"Ni2+": 1.0, "Ni3+": 0.0, "Ni4+": 0.0}
    assert stuck == pytest.approx({"Ni2+": real["Ni2+"] / 2, "Ni3+": real["Ni3+"] / 2, "Ni4+": 0.5})


def test_a_cell_remembers_how_empty_it_was_through_a_restart_where_its_host_does():
    cell, plain = (make_cell("lmno-cr-li", dt_s=10.0, host=host) for host in (Host.STUCK, Host.STAGED))
    for current_a in [0.0005] * 300 + [-0.0005] * 200:
        readings = [one.advance(ControlMode.CURRENT, current_a) for one in (cell, plain)]
        assert readings[0] == readings[1]
    state = cell.probe_state()
    assert state.positive.emptied_to[-1] < state.positive.li_content[-1] - 0.05
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert twin.probe_state() == state
    assert plain.probe_state().positive.emptied_to == ()
