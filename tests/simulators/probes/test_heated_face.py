"""The face of an alloy in the chamber: its relief and its grains, below and above melting, in every world."""

from dataclasses import replace

import pytest

from intercalate.orientation_frames import unpacked
from intercalate_sims.cell import make_cell
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.ebsd import HiddenIndexing
from intercalate_sims.probes.ebsd_station import OrientationStation
from intercalate_sims.probes.sem_face import Heating, HiddenFace, face_of
from intercalate_sims.probes.sem_image import HiddenMicroscope
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_station import ImagingStation, Specimens
from intercalate_sims.probes.shot import Shot

SEED, HOT_C = 5, 325.0
STATE = make_cell("li10mg-llzo-li10mg").probe_state()


def shot(temperature_c: float, freezes: int = 0, start_s: float = 0.0) -> Shot:
    return Shot(
        start_s=start_s,
        exposure_s=120.0,
        photons_s=3e9,
        full_photons_s=3e9,
        energy_kev=5.0,
        size_mm=(0.16, 0.16),
        in_beam=InBeam(Holder("V2", "D1", 0.0, 0.0), 1.0, 0.0, (0.0, 0.0)),
        states=[(1.0, STATE)],
        settings={
            "detector": "secondary electrons",
            "temperature_c": temperature_c,
            "freezes": freezes,
            "step_um": 1.25,
            "tilt_deg": 70.0,
        },
    )


def stations(heating: Heating) -> tuple[ImagingStation, OrientationStation]:
    hidden = HiddenSection.draw(SEED), SectionLaw.REAL, HiddenMicroscope.draw(SEED), SEED
    specimens = Specimens({}, *hidden, {"D1": "negative"}, heating)
    screen = OrientationStation(specimens, (64, 64), HiddenIndexing.draw(SEED), 1e4, SEED)
    return ImagingStation(specimens, (128, 128), 1e4, SEED), screen


@pytest.mark.parametrize(
    ("heating", "has_relief", "has_pattern", "generation"),
    [
        (Heating.REAL, True, False, 1),
        (Heating.UNMELTED, True, True, 0),
        (Heating.SAME_GRAINS, True, False, 0),
        (Heating.COLLAPSED, False, False, 1),
    ],
)
def test_each_world_differs_by_one_thing(
    heating: Heating, has_relief: bool, has_pattern: bool, generation: int
) -> None:
    imaging, screen = stations(heating)
    _, _, cold = imaging.take(shot(25.0), 0)
    _, _, hot = imaging.take(shot(HOT_C, start_s=1000.0), 0)
    assert cold["coverage"]["mossy"] > 0.1
    assert bool(hot["coverage"]) == has_relief
    _, _, before = screen.take(shot(25.0), 0)
    frame, _, _ = screen.take(shot(HOT_C, start_s=1000.0), 0)
    assert before["metal_share"] == 1.0
    assert float(unpacked(frame).indexed.mean()) == pytest.approx(0.9 if has_pattern else 0.0, abs=0.1)
    _, _, after = screen.take(shot(25.0, freezes=1, start_s=2000.0), 0)
    assert after["generation"] == generation


def test_heat_moves_the_place_and_not_what_stands_there() -> None:
    assert HiddenFace(creep_um_k=(0.01, -0.02)).moved_um(125.0) == pytest.approx((1.0, -2.0))
    imaging, _ = stations(Heating.REAL)
    shares = []
    for number, temperature_c in enumerate((25.0, HOT_C)):
        _, _, truth = imaging.take(shot(temperature_c, start_s=1000.0 * number), 0)
        shares.append(truth["coverage"]["mossy"])
    assert shares[0] == pytest.approx(shares[1], abs=0.05)
    assert shares[0] != shares[1]


@pytest.mark.parametrize(("material", "imaged"), [("NMC811", "NMC"), ("sulfur", "vacuum")])
def test_other_electrodes_are_as_their_material(material: str, imaged: str) -> None:
    view = face_of(replace(STATE.negative, material=material), HiddenFace(), Heating.REAL)
    assert (view.material, list(view.deposits)) == (imaged, [])
