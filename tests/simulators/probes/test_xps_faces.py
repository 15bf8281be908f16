"""Faces of lithium that are not those of the model, and what the whole chain makes of six surfaces."""

from pathlib import Path

import pytest

from benchmarks.faces_in_process import Spectrometer, faced
from intercalate_plans.studies import World, load_study
from intercalate_sims.cell import make_cell
from intercalate_sims.probes.xps_faces import LAYERS_NM, Face, lithium_face
from intercalate_sims.probes.xps_sei import SeiGrowth, SeiWorld
from intercalate_sims.probes.xps_station import WATCHED_H


def test_the_layers_lie_on_lithium_and_the_bare_face_has_none() -> None:
    layered = lithium_face(4, Face.LAYERED_LITHIUM, 0.4)
    assert [layer.compound for layer in layered] == ["adventitious carbon", *LAYERS_NM, "Li"]
    for layer, nm in zip(layered[1:-1], LAYERS_NM.values()):
        assert layer.thickness_nm == pytest.approx(nm, rel=0.6)
    assert layered == lithium_face(4, Face.LAYERED_LITHIUM, 0.4)
    bare = lithium_face(4, Face.BARE_LITHIUM, 0.4)
    assert [layer.compound for layer in bare] == ["adventitious carbon", "Li"]


def test_six_surfaces_are_told_and_layers_only_where_they_are(tmp_path: Path) -> None:
    study = load_study("S33")
    for world in (World.EFFECT, World.NULL):
        folder = tmp_path / world
        folder.mkdir()
        measured = faced(study, study.told(world), 9, folder)
        finding, truth = study.analyse(measured.cells), study.analyse(measured.true_cells)
        failed = {one.text for one in finding.claims if not one.holds}
        layers = {f"{layer} lies on lithium" for layer in LAYERS_NM}
        assert failed == (set() if world is World.EFFECT else layers)
        for one in finding.quantities:
            true = truth.quantity(one.name).value
            assert abs(one.value - true) < 4 * one.sigma + 0.05, f"{one}, truly {true}"
        lithium = measured.cells["V3"].frames["face"]
        assert {"survey_percent.Li", "survey_percent.C"} <= set(map(str, lithium))


def test_a_layer_grows_from_when_it_is_first_looked_at() -> None:
    spectrometer = Spectrometer(5, {"C1": "negative"}, {"C1": Face.SEI_IN_STEPS})
    state = make_cell("sulfur-li").probe_state()
    growth = SeiGrowth.draw(5, SeiWorld.STEPS, WATCHED_H)
    for since_h in (0.0, 8.0, 20.0):
        spectrometer.take("C1", state, "S 2p", 10.0, elapsed_s=3600.0 * (30.0 + since_h))
        grown = [layer["thickness_nm"] for layer in spectrometer.truth["stack"]]
        expected = [layer.thickness_nm for layer in growth.stack(since_h)]
        assert grown[:-1] == pytest.approx(expected[:-1])
        assert grown[-1] is None


def test_steps_on_lithium_are_found_from_spectra_and_no_other_order(tmp_path: Path) -> None:
    study = load_study("S17")
    for world in (World.EFFECT, World.PERMUTED):
        folder = tmp_path / world
        folder.mkdir()
        measured = faced(study, study.told(world), 3, folder)
        finding, truth = study.analyse(measured.cells), study.analyse(measured.true_cells)
        assert finding.recovered is (world is World.EFFECT)
        for one in finding.quantities:
            assert abs(one.value - truth.quantity(one.name).value) < 4 * one.sigma, str(one)
