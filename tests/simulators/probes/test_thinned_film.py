"""Films of lithium that thin unevenly: where, how much, and what X-rays make of it."""

import numpy as np
import pytest
import xarray as xr

from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.materials.eds import WINDOWLESS_DETECTOR
from intercalate.reduction.eds import FilmOn, axis_on_paper, film_thickness
from intercalate.x_ray_maps import maps_of_elements
from intercalate_sims.probes.eds import EdsConditions, EdsProbe, HiddenDetector
from intercalate_sims.probes.eds_film import energy_below_kev, film_rate
from intercalate_sims.probes.sem_garnet import PHASES, HiddenGarnet, phases_of
from intercalate_sims.probes.sem_station import source_of
from intercalate_sims.probes.sem_surface import Grid
from intercalate_sims.probes.sem_thinning import HiddenThinning, ThinnedFace, Thinning

HIDDEN = HiddenThinning.draw(3)
FRESH_UM = 10.0
WIDE = Grid(np.arange(-300.0, 300.0, 3.0), np.arange(-300.0, 300.0, 3.0), np.zeros(200))


def film(law: Thinning, seed: int = 3) -> ThinnedFace:
    return ThinnedFace(FRESH_UM, HIDDEN, law, seed)


@pytest.mark.parametrize("law", list(Thinning))
def test_as_much_lithium_leaves_a_film_as_the_cell_says(law: Thinning) -> None:
    made = film(law).thickness_um(WIDE, FRESH_UM)
    assert np.ptp(made) == 0.0
    lost = made - film(law).thickness_um(WIDE, FRESH_UM - 2.0)
    assert lost.mean() == pytest.approx(2.0, rel=0.15)
    assert bool(lost.std() > 1.0) is (law is not Thinning.EVEN)


def test_regions_stay_where_they_are_and_belong_to_places() -> None:
    part = Grid(WIDE.x_um[50:90], WIDE.y_um[20:60], np.zeros(40))
    whole = film(Thinning.REAL).thickness_um(WIDE, 8.0)
    np.testing.assert_allclose(film(Thinning.REAL).thickness_um(part, 8.0), whole[20:60, 50:90], atol=1e-3)
    assert np.any(film(Thinning.REAL, 4).thickness_um(part, 8.0) != whole[20:60, 50:90])


def test_lithium_grows_where_it_has_thinned_or_just_not_there() -> None:
    thickness = film(Thinning.REAL).thickness_um(WIDE, 8.0)
    thin, thick = (np.unravel_index(find(thickness), thickness.shape) for find in (np.argmin, np.argmax))

    def chance(law: Thinning, at: tuple) -> float:
        growing = film(law).preference(WIDE)
        assert growing is not None
        assert 0.0 < growing.mean < 1.0
        return growing.at(float(WIDE.x_um[at[1]]), float(WIDE.y_um[at[0]]))

    assert chance(Thinning.REAL, thin) > 0.9 > 0.1 > chance(Thinning.REAL, thick)
    assert chance(Thinning.ELSEWHERE, thick) > 0.9 > 0.1 > chance(Thinning.ELSEWHERE, thin)
    assert film(Thinning.EVEN).preference(WIDE) is None


def test_a_garnet_has_as_much_of_other_phases_as_is_drawn() -> None:
    hidden = HiddenGarnet.draw(5)
    found = phases_of(WIDE, 5, hidden)
    for number in range(1, len(PHASES) + 1):
        assert np.mean(found == number) == pytest.approx(hidden.shares[number - 1], rel=0.5)


PROBE = EdsProbe(WINDOWLESS_DETECTOR, HiddenDetector(), 1)
CONDITIONS = EdsConditions(20.0, 0.2, 1.0)


def test_electrons_come_through_a_film_with_less_energy_and_excite_less() -> None:
    lithium, garnet = source_of("lithium"), source_of("LLZO")
    energies = [energy_below_kev(lithium, one, 20.0) for one in (0.0, 5.0, 10.0, 100.0)]
    assert energies[0] == pytest.approx(20.0)
    assert energies[0] > energies[1] > energies[2] > 10.0 > energies[3]
    bare, _ = PROBE.rate(garnet, CONDITIONS)
    same, _ = film_rate(PROBE, lithium, 1e-6, garnet, CONDITIONS)
    np.testing.assert_allclose(same, bare, rtol=0.02, atol=1e-3 * bare.max())
    assert film_rate(PROBE, lithium, 10.0, garnet, CONDITIONS)[0].sum() < 0.9 * bare.sum()


def test_a_loss_of_thickness_comes_out_within_what_is_declared() -> None:
    lithium, garnet = source_of("lithium"), source_of("LLZO")
    counts = []
    for thickness_um in (10.0, 8.0, 5.0):
        kv = energy_below_kev(lithium, thickness_um, 20.0)
        counts.append(PROBE.expected_lines(garnet, EdsConditions(kv, 0.2, 1.0))["La L"])
    known = FilmOn("La", "L", 10.0, 20.0, WINDOWLESS_DETECTOR.take_off_deg, "LLZO")
    fresh = np.array(counts[:1])
    for seen, lost_um in zip(counts, (0.0, 2.0, 5.0)):
        found, error, systematic = film_thickness(np.array([seen]), np.ones(1), fresh, np.ones(1), known)
        sigma_um = float(np.hypot(systematic * lost_um, float(error[0])))
        assert abs(10.0 - float(found[0]) - lost_um) <= 2.0 * sigma_um
        assert lost_um == 0.0 or 10.0 - float(found[0]) > 0.5 * lost_um
    # More than no film at all would show, or nothing: it says nothing.
    for nonsense in (10.0 * fresh, np.zeros(1), np.full(1, np.nan)):
        assert np.isnan(film_thickness(nonsense, np.ones(1), fresh, np.ones(1), known)[0][0])


def test_maps_leave_out_what_is_not_garnet_and_frames_without_a_beam() -> None:
    rows = columns = 12
    lithium = source_of("lithium")
    rates = {
        (name, thick): film_rate(PROBE, lithium, thick, source_of(name), CONDITIONS)[0]
        for name in ("LLZO", "passivated lithium")
        for thick in (10.0, 6.0)
    }
    generator = np.random.default_rng(1)
    images = []
    for thick in (10.0, 6.0, 10.0):
        cube = np.broadcast_to(rates["LLZO", thick], (rows, columns, rates["LLZO", thick].size)).copy()
        cube[:4, :4] = rates["passivated lithium", thick]
        images.append(generator.poisson(2.0 * cube).reshape(rows * columns, -1))
    aligned = xr.Dataset(
        {
            "column_voltage_kv": ("frame", np.full(3, 20.0)),
            "column_field_of_view_um": ("frame", np.full(3, 48.0)),
            "beam_quality": ("frame", np.array(["valid", "valid", "none"])),
        }
    )
    cell = Cell.from_file(EXAMPLES / "cells" / "lithium_film_llzo_face.toml")
    axis = axis_on_paper(WINDOWLESS_DETECTOR)
    asked = ["C", "O", "Zr", "La"], axis, WINDOWLESS_DETECTOR
    found = maps_of_elements(images, aligned, *asked, (rows, columns), cell)
    film_um = found["film_um"][1]
    assert np.isnan(film_um[:, :4, :4]).all()
    assert np.isnan(film_um[2]).all()
    assert np.isfinite(film_um[:2, 6:, 6:]).mean() > 0.9
    assert 6.0 < np.nanmean(film_um[1]) < 9.0
    np.testing.assert_allclose(found["map_step_um"][1], 4.0)
    # One place in a frame is no map; a cut has no film.
    assert maps_of_elements(images, aligned, *asked, (1, 1), cell) == {}
    cut = Cell.from_file(EXAMPLES / "cells" / "lithium_llzo_lithium.toml")
    assert "film_um" not in maps_of_elements(images, aligned, *asked, (rows, columns), cut)
