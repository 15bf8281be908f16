"""The hidden effect of the beam: grows with dose, saturates, stays where the beam was, and can be off."""

import asyncio
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probes.cells import full_cell_state
from test_world_beam import make_world as steady_world
from test_world_beam import tell

from intercalate.config import EXAMPLES
from intercalate_sims.assembly import Layout, hidden_of, make_diffractometer, make_world
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.hidden import Hidden
from intercalate_sims.irradiation import MOST_GROUPS, BeamEffect, Inactive, Irradiated, Spot, seen_states
from intercalate_sims.link import InstrumentLink
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.diffraction import truth_of
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.station import DiffractionStation
from intercalate_sims.settings import SettingsError, SimulationSettings
from intercalate_sims.world import World

EFFECT = BeamEffect(inactive_share=0.4, fluence_j_cm2=10.0)
HERE = Spot(0.0, 0.0, 0.5, 0.5)
NOW = full_cell_state(0.5, 0.5)
SHIPPED = EXAMPLES / "config" / "simulation.toml"
WITH_EFFECT = "\n[beam_effect]\ninactive_share = 0.4\nfluence_j_cm2 = 10.0\n"


def share(irradiated: Irradiated, spot: Spot = HERE) -> float:
    return sum(one.share for one in irradiated.inactive("A1", spot))


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=30))
def test_what_has_stopped_follows_the_sum_of_the_doses(
    tmp_path_factory: pytest.TempPathFactory, doses: list[float]
) -> None:
    irradiated = Irradiated(EFFECT, tmp_path_factory.mktemp("spots") / "spots")
    for dose in doses:
        irradiated.expose("A1", HERE, dose, NOW)
    assert share(irradiated) == pytest.approx(0.4 * -math.expm1(-sum(doses) / 10.0), abs=1e-12)


def test_other_spots_and_cells_have_nothing_and_half_a_spot_half(tmp_path: Path) -> None:
    irradiated = Irradiated(EFFECT, tmp_path / "spots")
    irradiated.expose("A1", HERE, 1e9, NOW)
    assert share(irradiated) == pytest.approx(0.4)
    assert share(irradiated, Spot(0.25, 0.0, 0.5, 0.5)) == pytest.approx(0.2)
    assert share(irradiated, Spot(0.5, 0.0, 0.5, 0.5)) == 0
    assert irradiated.inactive("B1", HERE) == []


def test_particles_keep_the_lithium_with_which_they_stopped_however_many_moments(tmp_path: Path) -> None:
    irradiated = Irradiated(EFFECT, tmp_path / "spots")
    contents = np.linspace(0.9, 0.3, 60)
    expected, stopped = 0.0, 0.0
    for x in contents:
        irradiated.expose("A1", HERE, 1.0, full_cell_state(x, 1.0 - x))
        new = EFFECT.stopping(stopped, 1.0)
        expected, stopped = expected + new * x, stopped + new
    found = irradiated.inactive("A1", HERE)
    assert len(found) == MOST_GROUPS
    for side, mean in (("positive", expected), ("negative", stopped - expected)):
        total = sum(one.share * np.mean(getattr(one, side).li_content) for one in found)
        assert total == pytest.approx(mean, rel=1e-9)
    seen = seen_states([(1.0, full_cell_state(0.3, 0.7))], found)
    assert sum(weight for weight, _ in seen) == pytest.approx(1.0)
    lithium = truth_of(seen)["positive"]["li_content"]
    assert lithium == pytest.approx(expected + (1 - stopped) * 0.3, abs=1e-6)


def test_it_outlives_the_process(tmp_path: Path) -> None:
    irradiated = Irradiated(EFFECT, tmp_path / "spots")
    irradiated.expose("A1", HERE, 5.0, NOW)
    assert Irradiated(EFFECT, tmp_path / "spots").inactive("A1", HERE) == irradiated.inactive("A1", HERE)


def test_without_an_effect_nothing_is_kept(tmp_path: Path) -> None:
    irradiated = Irradiated(None, tmp_path / "spots")
    irradiated.expose("A1", HERE, 5.0, NOW)
    assert irradiated.inactive("A1", HERE) == []
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def station() -> DiffractionStation:
    return DiffractionStation(DetectorGeometry(), Hidden(), {"A1": makeup_of("nmc811-graphite")}, 3)


def shot(start_s: float = 0.0) -> Shot:
    in_beam = InBeam(Holder("H1", "A1", 0.0, 0.0), 1.0, 0.0, (0.0, 0.0))
    return Shot(start_s, 60.0, 4e9, 4e9, 25.0, (0.5, 0.5), in_beam, [(0.5, NOW), (0.5, NOW)])


def test_a_frame_of_a_spot_shows_what_stopped_there_and_its_truth_says_so(
    station: DiffractionStation,
) -> None:
    before = full_cell_state(0.9, 0.1)
    stopped = Inactive(0.3, before.positive, before.negative)
    expected = station._expected(shot(), station._sample(shot()))
    hit = replace(shot(), inactive=[stopped])
    changed = station._expected(hit, station._sample(hit))
    assert np.abs(changed - expected).max() > 0.05 * expected.max()
    counts = station.count(hit)
    truth = station._truth(hit, counts)
    assert truth["inactive_share"] == 0.3
    assert truth["positive"]["li_content"] == pytest.approx(0.7 * 0.5 + 0.3 * 0.9, abs=1e-6)
    assert truth["rest_of_the_cell"]["positive"]["li_content"] == pytest.approx(0.5, abs=1e-6)


def test_without_an_effect_the_states_are_those_of_the_cell_to_the_bit() -> None:
    assert shot().seen == list(shot().states)


def test_a_world_irradiates_the_spot_in_the_beam_and_nothing_through_a_closed_shutter(
    tmp_path: Path,
) -> None:
    (tmp_path / "on").mkdir()
    (tmp_path / "off").mkdir()
    answers: dict[str, list[dict]] = {}

    def expose_thrice(kind: str) -> None:
        async def story(world: World, link: InstrumentLink) -> None:
            found = answers.setdefault(kind, [])
            link.shutter(False)
            await link.beam()
            await link.expose("A1", 20.0, (1.0, 0.0))
            link.done()
            link.shutter(True)
            await link.beam()
            for place in ((1.0, 0.0), (1.0, 0.0), (0.0, 0.0)):
                found.append(await link.expose("A1", 20.0, place))
                link.done()

        effect = EFFECT if kind == "on" else None
        tell(tmp_path / kind, steady_world(tmp_path / kind, beam_effect=effect), story)

    expose_thrice("on")
    expose_thrice("off")
    first, second, elsewhere = ([one["share"] for one in answer["inactive"]] for answer in answers["on"])
    assert first == elsewhere == []
    fluence = 20.0 * answers["on"][0]["photons_s"] * 25.0 * 1.602176634e-16 / 0.0025
    assert second == [pytest.approx(0.4 * -math.expm1(-fluence / 10.0), rel=1e-6)]
    assert [one["inactive"] for one in answers["off"]] == [[], [], []]


def test_an_exposure_that_is_given_up_has_irradiated_its_spot(tmp_path: Path) -> None:
    async def story(world: World, link: InstrumentLink) -> None:
        given_up = asyncio.ensure_future(link.expose("A1", 1e5))
        begun_s = world.time_s
        while world.time_s < begun_s + 100.0:
            await asyncio.sleep(0.002)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        answer = await link.expose("A1", 10.0)
        assert sum(one["share"] for one in answer["inactive"]) > 0
        link.done()

    tell(tmp_path, steady_world(tmp_path, beam_effect=EFFECT), story)


def settings(tmp_path: Path, more: str = "") -> SimulationSettings:
    path = tmp_path / "simulation.toml"
    path.write_text(SHIPPED.read_text() + more)
    return SimulationSettings.from_file(path)


def test_it_is_off_unless_asked_for_and_stays_untold(tmp_path: Path) -> None:
    assert hidden_of(settings(tmp_path)).beam_effect is None
    on = settings(tmp_path, WITH_EFFECT)
    assert hidden_of(on).beam_effect == EFFECT
    assert on.metadata() == settings(tmp_path).metadata()
    world = make_world(on, Layout(tmp_path))
    told = json.dumps(world.status())
    world.stop()
    diffractometer = make_diffractometer(on, tmp_path)
    told += json.dumps(diffractometer.settings.description) + "".join(diffractometer.pvdb)
    assert not any(word in told.lower() for word in ("inactive", "effect", "fluence"))
    assert json.loads((tmp_path / "hidden.json").read_text())["beam_effect"]["inactive_share"] == 0.4


@pytest.mark.parametrize("line", ["inactive_share = 1.5", "fluence_j_cm2 = -1.0"])
def test_an_impossible_effect_is_refused(tmp_path: Path, line: str) -> None:
    name = line.split(" ")[0]
    lines = [line if one.startswith(name) else one for one in WITH_EFFECT.splitlines()]
    with pytest.raises(SettingsError, match=f"beam_effect.{name}"):
        settings(tmp_path, "\n".join(lines))
