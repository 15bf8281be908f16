"""Videos of a run, and figures of what a microscope gives."""

import numpy as np
import pytest
from PIL import Image

from intercalate.materials.eds import STANDARD_DETECTOR
from intercalate.reduction.ebsd import orientation_map
from intercalate.reduction.eds import axis_on_paper, element_maps, fit_lines
from intercalate.reduction.micrographs import deposits, micrograph, section
from intercalate.views.micrographs import (
    element_figure,
    micrograph_figure,
    orientation_figure,
    section_figure,
    spectrum_figure,
)
from intercalate.views.video import VideoError, bar_length_um, time_text, write_video


def frames(count=4, side=96):
    y, x = np.mgrid[:side, :side]
    noise = np.random.default_rng(0).normal(0, 3, (count, side, side))
    return [
        np.clip(80 + 90 * (np.hypot(y - 48, x - 48) < 8 + 6 * number) + noise[number], 0, 255).astype(
            np.uint8
        )
        for number in range(count)
    ]


def written(tmp_path, images=None, times=None, voltages=None, name="run.gif", **changed):
    images = frames() if images is None else images
    times = 60.0 * np.arange(len(images)) if times is None else times
    voltages = 3.0 + 0.1 * np.arange(len(images)) if voltages is None else voltages
    options = {"pixel_um": 0.5, "simulated": False} | changed
    return write_video(images, times, voltages, tmp_path / "films" / name, **options)


def test_a_video_has_all_frames_and_a_band_below(tmp_path):
    with Image.open(written(tmp_path, frames_per_s=5.0)) as film:
        assert film.n_frames == 4
        assert film.width == 96
        assert film.height > 96
        assert film.info["duration"] == 200
        film.seek(3)
        last = np.asarray(film.convert("L"))
    # The disc has grown, and the band holds white letters.
    assert last[48, 30] > last[4, 4] + 50
    assert last[96:].max() > 200


def test_simulated_is_written_into_the_picture(tmp_path):
    pictures = []
    for simulated in (False, True):
        with Image.open(written(tmp_path, simulated=simulated)) as film:
            pictures.append(np.asarray(film.convert("L"))[:20, :60])
    assert np.abs(pictures[1].astype(int) - pictures[0]).max() > 100


def test_large_frames_are_made_smaller_and_unknown_voltages_are_told(tmp_path):
    big = [np.kron(one, np.ones((3, 3))) for one in frames(2)]
    with Image.open(written(tmp_path, big, voltages=[np.nan, np.nan], most_pixels=144)) as film:
        assert film.width == 144


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"images": []}, "no frames"),
        ({"images": [np.zeros((96, 96)), np.zeros((96, 90))]}, "frame 1 has shape"),
        ({"images": [np.zeros((10, 10))]}, "at least 64"),
        ({"times": [0.0]}, "give one for each"),
        ({"times": [3.0, 2.0, 1.0, 0.0]}, "do not rise"),
        ({"pixel_um": 0.0}, "no video"),
        ({"name": "run.avi"}, "no format that is known"),
        ({"images": [np.full((96, 96), np.nan)]}, "no numbers"),
        ({"grey_range": (10.0, 10.0)}, "shows nothing"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, changed, words):
    with pytest.raises(VideoError, match=words):
        written(tmp_path, **changed)


def test_scale_bars_and_times():
    assert [bar_length_um(one) for one in (0.7, 1.0, 4.9, 5.0, 37.0, 260.0)] == [
        0.5,
        1.0,
        2.0,
        5.0,
        20.0,
        200.0,
    ]
    assert time_text(3725.4) == "1:02:05 h"


def test_figures_can_be_drawn(tmp_path):
    image = micrograph(frames(4, 96)[3], 0.5)
    stripes = np.repeat([30.0, 90.0, 160.0, 30.0], 40)[:, None] + np.random.default_rng(1).normal(
        0, 3, (160, 96)
    )
    cut = micrograph(np.clip(stripes, 0, 255).astype(np.uint8), 0.5)
    axis = axis_on_paper(STANDARD_DETECTOR)
    counts = np.random.default_rng(2).poisson(30.0, STANDARD_DETECTOR.channels)
    cube = np.random.default_rng(3).poisson(1.0, (8, 8, STANDARD_DETECTOR.channels))
    angles = np.random.default_rng(4).uniform(0, 90, (16, 16, 3))
    known = np.ones((16, 16), dtype=bool)
    figures = [
        micrograph_figure(image, deposits(image), "simulated"),
        section_figure(cut, section(cut, ["Li", "SPE"]), "simulated"),
        spectrum_figure(counts, axis, fit_lines(counts, ("Fe",), axis, STANDARD_DETECTOR, 15.0), "simulated"),
        element_figure(
            element_maps(cube, ("Fe",), axis, STANDARD_DETECTOR, 15.0), ["Fe K"], 1.0, "simulated"
        ),
        orientation_figure(orientation_map(angles, 120.0 * known, known, 1.0), "simulated"),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png", dpi=40)
        assert "simulated" in figure.get_suptitle() or figure.axes[0].get_title() == "simulated"
