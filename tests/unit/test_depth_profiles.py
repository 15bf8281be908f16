"""Depth profiles on this side of the wire: steps, what ions may have made, what spectra of a run become."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.devices.ion_column import Raster
from intercalate.dose_ledger import SPUTTERING, DoseLedger, Spot
from intercalate.materials.sputtering import BY_SPUTTERING, artefacts
from intercalate.materials.xps import compound_named
from intercalate.orchestration.ion_beams import confirmation
from intercalate.reduction.raman import MapError
from intercalate.views.depth_profile import depth_profile_figure, save_depth_profile_figure
from intercalate.xps_results import reduce_photoelectrons
from intercalate_plans.depth_profiles import _steps
from intercalate_sims.cell import make_cell
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.milling import Cut
from intercalate_sims.probes.faces import HiddenFace
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.xps import Analyser, HiddenXps
from intercalate_sims.probes.xps_faces import Face
from intercalate_sims.probes.xps_station import XpsOnPaper, XpsStation, fluence_at

CELL = Cell.from_file(EXAMPLES / "cells" / "lithium_polymer_face.toml")
REGIONS = ("C 1s", "O 1s", "Li 1s")
FLUENCES = (0.0, 0.5, 2.0, 8.0)


def test_steps_include_those_before() -> None:
    assert _steps([0.5, 1.0], 2000.0) == [Raster(2000.0, 2000.0, 0.5), Raster(2000.0, 2000.0, 1.0)]


@pytest.mark.parametrize(
    ("fluences", "words"),
    [([], "no step is named"), ([1.0, 0.5], "0.5 after 1"), ([1.0, 1.0], "1 after 1"), ([0.0, 1.0], "is 0")],
)
def test_steps_that_nobody_can_mean_are_refused(fluences: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _steps(fluences, 2000.0)


def test_the_confirmation_has_a_word_of_its_own() -> None:
    assert confirmation("sputter", CELL, "V1") == "sputter lithium-polymer-lithium-face at V1"


def test_every_product_is_a_compound_whose_lines_are_known() -> None:
    for reactant, (products, rate) in BY_SPUTTERING.items():
        assert rate > 0
        for name in (reactant, *products):
            compound_named(name)


def test_artefacts_are_named_by_what_is_looked_for() -> None:
    said = artefacts(("Li2CO3", "Li2O", "Li"))
    assert "Li2CO3 turns into Li2O" in said
    assert any(one.startswith("Li2O may have been CH3OCO2Li") for one in said)
    assert not any("LiPF6" in one for one in said)
    assert any("preferential sputtering" in one for one in said)
    assert any("mixing" in one for one in said)


def test_a_spot_knows_the_most_that_a_part_of_it_received(tmp_path: Path) -> None:
    ledger = DoseLedger(tmp_path / "dose.sqlite")
    raster, spot = Spot(0.0, 0.0, 2.0, 2.0), Spot(0.5, 0.0, 0.2, 0.2)
    for amount in (0.5, 0.25):
        number = ledger.reserve(CELL.name, SPUTTERING, "1e16/cm2", raster, 0.5, 1.0, 1.8e9)
        ledger.commit(number, amount)
    assert ledger.amount_at(CELL.name, SPUTTERING, raster) == 0.75
    assert ledger.sputtered_1e16_cm2(CELL.name, spot) == 0.75
    assert ledger.sputtered_1e16_cm2(CELL.name, Spot(1.5, 0.0, 0.2, 0.2)) == 0.0
    assert ledger.milled_um(CELL.name, spot) == 0.0


def shot(fluence: float, region: str = "C 1s", at_mm: float = 0.0, start_s: float = 1.0) -> Shot:
    section = Config.from_file(DEFAULT_CONFIG).xps
    assert section is not None
    asked = section.analyser.regions[region]
    photons_s = section.source.power_w * section.source.photons_per_s_w
    received = Cut(0.0, 0.0, 2000.0, 2000.0, 8.0, 25.0, reached=fluence)
    return Shot(
        start_s=start_s,
        exposure_s=120.0,
        photons_s=photons_s,
        full_photons_s=photons_s,
        energy_kev=1.4866,
        size_mm=(0.2, 0.2),
        in_beam=InBeam(Holder("V1", "C1", 0.0, 0.0), 1.0, 0.0, (at_mm, 0.0)),
        states=[(1.0, make_cell("li-polymer-li").probe_state())],
        sputtered=[received] if fluence > 0 else [],
        settings={
            "region": region,
            "start_ev": asked.start_ev,
            "stop_ev": asked.stop_ev,
            "step_ev": asked.step_ev,
            "pass_energy_ev": asked.pass_energy_ev,
            "flood_gun": False,
        },
    )


def spectrometer() -> XpsStation:
    section = Config.from_file(DEFAULT_CONFIG).xps
    assert section is not None
    paper = XpsOnPaper(section.analyser.points, 1e10, 1e4, Analyser())
    faces = {"C1": Face.LAYERED_LITHIUM}
    return XpsStation(paper, HiddenXps(), HiddenFace.draw(3), {"C1": "negative"}, 3, faces)


@pytest.mark.parametrize(("at_mm", "fluence"), [(0.0, 2.0), (0.9, 2.0), (1.1, 0.0)])
def test_only_what_lies_in_the_raster_was_sputtered(at_mm: float, fluence: float) -> None:
    assert fluence_at(shot(2.0, at_mm=at_mm)) == fluence


def test_layers_leave_one_after_the_other_and_carbonate_turns_into_oxide() -> None:
    station = spectrometer()
    stacks = [station.take(shot(one), 1)[2]["stack"] for one in FLUENCES]
    outermost = [next(iter(one[0]["shares"])) for one in stacks]
    assert outermost[0] == "adventitious carbon"
    assert any({"Li2CO3", "Li2O"} <= set(layer["shares"]) for layer in stacks[1])
    thickness = [sum(one["thickness_nm"] for one in stack[:-1]) for stack in stacks]
    assert np.all(np.diff(thickness) < 0)
    assert thickness[-1] < 0.05


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    """Spectra of all regions after each step, reduced."""
    section = Config.from_file(DEFAULT_CONFIG).xps
    assert section is not None
    station, frames, columns = spectrometer(), [], {}
    for number, fluence in enumerate(FLUENCES):
        for region in REGIONS:
            one = shot(fluence, region, start_s=1000.0 * len(frames))
            frames.append(station.take(one, number)[0])
            asked = one.settings
            row = {f"analyser_{name}_ev": asked[f"{name}_ev"] for name in ("start", "stop", "step")}
            row |= {"analyser_pass_energy_ev": asked["pass_energy_ev"], "analyser_region": region}
            row |= {"exposure_s": 120.0, "i0_counts": 1e6, "dose_sputtered_1e16_cm2": fluence}
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    aligned = xr.Dataset({name: ("frame", np.array(values)) for name, values in columns.items()})
    found, _ = reduce_photoelectrons(frames, aligned, {}, section, CELL, lambda done: None)
    return found


def test_a_profile_has_its_ions_and_says_what_they_may_have_made(data: xr.Dataset) -> None:
    ions = data["acquisition_sputtered_1e16_cm2"]
    assert list(ions.values) == list(FLUENCES)
    assert "Li2CO3 turns into Li2O" in ions.attrs["artefacts"]
    carbon, lithium = (np.asarray(data[f"atomic_percent.{one}"]) for one in ("C", "Li"))
    assert carbon[0] > 5.0
    assert carbon[-1] < 1.0
    assert lithium[-1] > 95.0
    assert np.all(np.diff(np.asarray(data["film_nm"])[[0, 1, 3]]) < 0)


def test_its_figure_names_them_too(data: xr.Dataset, tmp_path: Path) -> None:
    figure = depth_profile_figure(data, "lithium")
    assert figure.get_suptitle().replace("\n", " ").count("Li2CO3 turns into Li2O") == 1
    save_depth_profile_figure(tmp_path / "depth_profile.png", data, "lithium")
    assert (tmp_path / "depth_profile.png").stat().st_size > 20_000


def test_a_surface_that_was_not_sputtered_has_none(data: xr.Dataset) -> None:
    with pytest.raises(MapError, match="nothing was sputtered"):
        depth_profile_figure(data.drop_vars("acquisition_sputtered_1e16_cm2"), "lithium")
