"""What both stations see of a cell of sulfur, and which cells of sulfur can be told to be others."""

import tomllib

import numpy as np
import pytest

from intercalate.config import EXAMPLES
from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.probes.diffraction import DiffractionProbe, truth_of
from intercalate_sims.probes.powder import all_lines, makeup_of
from intercalate_sims.settings import SimulationSettings

MODEL = "sulfur-ether-li"
WAVELENGTH = 0.496


def state_after(hours: float):
    cell = make_cell(MODEL, dt_s=10.0)
    one_c = cell.describe()["nominal_capacity_ah"]
    for _ in range(round(360 * hours)):
        cell.advance(ControlMode.CURRENT, -0.1 * one_c)
    return cell.probe_state()


@pytest.mark.parametrize(("hours", "phases"), [(0.5, {"S8"}), (2.15, set()), (5.0, {"Li2S"})])
def test_crystals_in_the_beam_are_those_that_are_solid(hours, phases):
    state = state_after(hours)
    lines = all_lines([(1.0, state)], makeup_of(MODEL), WAVELENGTH)
    strong = {one.phase for one in lines if one.phase in ("S8", "Li2S") and one.fraction.sum() > 1e-6}
    assert strong == phases
    solid = truth_of([(1.0, state)])["positive"]["solid"]
    assert {key for key, share in solid.items() if share > 0.001} == phases


def test_lines_grow_with_what_is_solid():
    early, late = (state_after(hours) for hours in (3.0, 6.0))
    power = [
        sum(
            one.fraction.sum()
            for one in all_lines([(1.0, state)], makeup_of(MODEL), WAVELENGTH)
            if one.phase == "Li2S"
        )
        for state in (early, late)
    ]
    solid = [truth_of([(1.0, state)])["positive"]["solid"]["Li2S"] for state in (early, late)]
    assert power[1] / power[0] == pytest.approx(solid[1] / solid[0])


def test_a_frame_of_a_cell_of_sulfur_has_its_strongest_line():
    probe = DiffractionProbe(makeup=makeup_of(MODEL))
    fresh, empty = (probe.expectation([(1.0, state_after(hours))], 60.0) for hours in (0.1, 2.0))
    more = np.flatnonzero(fresh.ravel() > 1.05 * empty.ravel())
    assert more.size > 1000


def test_hosts_of_sulfur_are_for_cells_of_sulfur():
    content = tomllib.loads((EXAMPLES / "config" / "simulation.toml").read_text())
    content["cells"]["A1"] = MODEL
    told = SimulationSettings.model_validate({**content, "hosts": {"A1": "quasi_solid"}})
    assert told.hosts == {"A1": Host.QUASI_SOLID}
    assert "quasi_solid" not in str(told.metadata())
    with pytest.raises(ValueError, match=r"hosts\.A1 is late, of a material that sulfur-ether-li has not"):
        SimulationSettings.model_validate({**content, "hosts": {"A1": "late"}})
    with pytest.raises(
        ValueError, match=r"hosts\.B1 is quasi_solid, of a material that nmc811-graphite has not"
    ):
        SimulationSettings.model_validate({**content, "hosts": {"B1": "quasi_solid"}})
