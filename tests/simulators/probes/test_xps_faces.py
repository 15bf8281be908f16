"""Faces of lithium that are not those of the model, and what the whole chain makes of six surfaces."""

from pathlib import Path

import pytest

from benchmarks.faces_in_process import faced
from intercalate_plans.studies import World, load_study
from intercalate_sims.probes.xps_faces import LAYERS_NM, Face, lithium_face


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
