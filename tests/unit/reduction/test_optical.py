"""Colour images: white by silicon, the colours of graphite, and images that are refused."""

from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from intercalate.cell import Cell
from intercalate.colour_frames import ColourFrameError, packed, unpacked
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.materials.optical import GRAPHITE_COLOURS
from intercalate.optical_results import optical_camera, reduce_colours
from intercalate.reduction.fiducials import disc_in_image
from intercalate.reduction.optical import OpticalError, face_colours, reflectance_of, white_of
from intercalate.views.optical import colours_figure
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.optical import HiddenCamera, OpticalStation, graphite_reflectance
from intercalate_sims.probes.raman import li_contents
from intercalate_sims.probes.raman_station import HiddenRaman
from intercalate_sims.probes.shot import Shot
from intercalate_sims.sources import LampBeam

PER_COUNT = 1e9


def section():
    found = Config.from_file(DEFAULT_CONFIG).optical
    assert found is not None
    return found


def electrode(mean: float, spread: float):
    return SimpleNamespace(
        material="graphite", li_content=[mean], li_spread=[spread], host="staged", is_working=True
    )


class Camera:
    """A camera of a seed, in focus unless it is told otherwise."""

    def __init__(self, seed: int = 1):
        self.paper = section().camera
        self.raman = HiddenRaman.draw(seed, ["H1", "Si"])
        self.hidden = HiddenCamera.draw(seed)
        self.station = OpticalStation(
            self.paper.pixels, self.paper.pixel_um, self.hidden, self.raman, ["A1"], PER_COUNT, seed
        )
        self.lamp = LampBeam(self.paper.field_mm, 0.05)
        self.seed = seed
        self._start_s = 0.0

    def take(self, content, mean=0.0, spread=0.0, *, away_um=0.0, exposure_s=0.2, lit=1.0, at_mm=(0.0, 0.0)):
        """Frame, and counts of the lamp's monitor."""
        self._start_s += 100.0
        holder = "Si" if content == "Si" else "H1"
        state = SimpleNamespace(negative=electrode(mean, spread), positive=SimpleNamespace(material="Li"))
        shot = Shot(
            start_s=self._start_s,
            exposure_s=exposure_s,
            photons_s=lit * self.lamp.full_photons_s(),
            full_photons_s=self.lamp.full_photons_s(),
            energy_kev=self.lamp.energy_kev,
            size_mm=self.lamp.size_mm,
            in_beam=InBeam(Holder(holder, content, 0.0, 0.0), 1.0, 0.0, at_mm),
            states=[(1.0, state)] if content == "A1" else [],
            focus_um=self.raman.surface_at_um(holder, 0.0) + away_um,
        )
        frame, counts, truth = self.station.take(shot, 0)
        self.truth = truth
        return frame, counts.i0

    def white(self):
        frames, monitor = zip(*(self.take("Si") for _ in range(4)))
        return white_of(
            [unpacked(one, self.paper.pixels) for one in frames], monitor, optical_camera(self.paper)
        )

    def reflectance(self, white, frame, i0):
        return reflectance_of(unpacked(frame, self.paper.pixels), i0, white, optical_camera(self.paper))


@lru_cache
def camera(seed: int = 1):
    made = Camera(seed)
    return made, made.white()


def true_shares(of: Camera, mean: float, spread: float) -> dict[str, float]:
    """Of a face as it is, without camera."""
    rows, columns = of.paper.pixels
    pixel_um = of.paper.pixel_um * of.hidden.scale
    x_um, y_um = (pixel_um * (np.arange(count) - (count - 1) / 2) for count in (columns, rows))
    content = li_contents(of.seed, electrode(mean, spread), x_um[None, :], y_um[:, None])
    shares = face_colours(graphite_reflectance(content), of.paper.pixel_um).shares
    return {name: one.value for name, one in shares.items()}


def test_a_frame_holds_three_planes():
    image = np.random.default_rng(0).integers(0, 60_000, (8, 5, 3))
    np.testing.assert_array_equal(unpacked(packed(image), (8, 5)), image)
    with pytest.raises(ColourFrameError, match=r"\(8, 15\) is no colour image of 8 x 6"):
        unpacked(packed(image), (8, 6))


@pytest.mark.parametrize("seed", range(4))
def test_silicon_makes_reflectance_of_counts(seed):
    of, white = camera(seed)
    for mean, colour in ((0.0, "grey"), (0.33, "blue"), (0.5, "red"), (1.0, "gold")):
        seen = of.reflectance(white, *of.take("A1", mean))
        true = np.array(GRAPHITE_COLOURS[colour].reflectance)
        # Also in the corners, which get less light.
        for part in (seen[118:138, 118:138], seen[:20, :20]):
            np.testing.assert_allclose(part.mean(axis=(0, 1)), true, rtol=0.02)
        shares = face_colours(seen, of.paper.pixel_um).shares
        assert shares[colour].value > 0.99


@pytest.mark.parametrize(("mean", "spread"), [(0.4, 0.15), (0.75, 0.2), (0.2, 0.1)])
def test_shares_of_colours_are_those_of_the_face_within_their_errors(mean, spread):
    pulls = []
    for seed in range(4):
        of, white = camera(seed)
        shares = face_colours(of.reflectance(white, *of.take("A1", mean, spread)), of.paper.pixel_um).shares
        assert sum(one.value for one in shares.values()) == pytest.approx(1.0)
        true = true_shares(of, mean, spread)
        pulls += [(shares[name].value - true[name]) / max(shares[name].sigma, 1e-3) for name in true]
    assert np.abs(pulls).max() < 3.0


def test_what_is_no_colour_of_graphite_is_said_to_be_none():
    of, _ = camera()
    copper = np.full((*of.paper.pixels, 3), (0.9, 0.62, 0.5))
    assert face_colours(copper, of.paper.pixel_um).shares["other"].value == 1.0


def test_an_image_out_of_focus_is_blurred():
    of, white = camera()

    def contrast(away_um: float) -> float:
        seen = of.reflectance(white, *of.take("A1", 0.5, 0.3, away_um=away_um))
        return float(np.std(np.diff(seen[..., 0], axis=1)))

    assert contrast(60.0) < 0.5 * contrast(0.0)


def test_what_is_dark_or_saturated_is_refused():
    of, white = camera()
    dark, _ = of.take("A1", 0.5, lit=0.0)
    with pytest.raises(
        OpticalError, match=r"the image is dark.*is the lamp on, and the laser's shutter closed"
    ):
        of.reflectance(white, dark, 1e5)
    bright, i0 = of.take("A1", 1.0, exposure_s=5.0)
    with pytest.raises(OpticalError, match=r"% of the image are saturated.*expose it shorter"):
        of.reflectance(white, bright, i0)
    fair, _ = of.take("A1", 0.5)
    with pytest.raises(OpticalError, match="monitor has counted nothing"):
        of.reflectance(white, fair, 0.0)
    face, _ = of.take("A1", 0.5, 0.3)
    with pytest.raises(OpticalError, match="the white face is not even"):
        white_of([unpacked(face, of.paper.pixels)], [1e5], optical_camera(of.paper))


def test_a_mark_of_the_holder_is_found_in_an_image():
    of, white = camera()
    seen = of.reflectance(white, *of.take("A1", 0.0, at_mm=(2.2 - 0.010, 0.005)))
    found = disc_in_image(255.0 * seen[..., 0], of.paper.pixel_um, 80.0, of.paper.pixel_sigma)
    assert abs(found.x_um.value - 10.0) < 3.0 * found.x_um.sigma
    assert abs(found.y_um.value + 5.0) < 3.0 * found.y_um.sigma


def test_a_run_is_reduced_with_white_and_without(tmp_path):
    from intercalate.calibrations import CalibrationStore, Kind

    of, white = camera()
    cell = Cell.from_file(EXAMPLES / "cells" / "graphite_lithium_optical.toml")
    taken = [of.take("A1", 0.5, 0.1), of.take("A1", 0.5, lit=0.0), of.take("A1", 1.0, 0.1)]
    frames, monitor = zip(*taken)
    aligned = xr.Dataset({"i0_counts": ("frame", np.array(monitor))})
    store = CalibrationStore(tmp_path)
    arrays, values = {"per_count": white.per_count}, {"relative_sigma": white.relative_sigma}
    kept = store.keep(Kind.WHITE, "run", values, arrays=arrays)
    data, used = reduce_colours(frames, aligned, {kept.name: kept}, section(), cell, lambda done: None)
    assert used == {"white": kept}
    assert [bool(note) for note in data["note"].values] == [False, True, False]
    assert np.isnan(data["colour_share.red"][1])
    assert float(data["colour_share.red"][0]) > 0.5
    assert float(data["colour_share.gold"][2]) > 0.5
    assert data["picture"].shape == (3, *of.paper.pixels, 3)
    assert len(colours_figure(data, "simulated").axes) == 6
    bare, used = reduce_colours(frames, aligned, {}, section(), cell, lambda done: None)
    assert used == {}
    assert "run calibrate_colour" in str(bare["note"][0].values)
    assert "colour_share.red" not in bare
    assert len(colours_figure(bare, "simulated").axes) == 3
