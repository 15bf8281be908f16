"""A film of a run: which of its images are in it, and what is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import intercalate.film as film
from intercalate.config import EXAMPLES, Config
from intercalate.views import video
from intercalate.views.video import VideoError

CONFIG = Config.from_file(EXAMPLES / "config" / "simulated.toml")
COUNT = 7


def run_of(instrument: str = "sem") -> Any:
    start = {"uid": "a" * 36, "simulated": True, "measurements": [{"name": "look", "instrument": instrument}]}
    return SimpleNamespace(metadata={"start": start})


@pytest.fixture
def aligned(monkeypatch: pytest.MonkeyPatch) -> xr.Dataset:
    """Seven images: two of another place, one without electrons, one of another field."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (COUNT, 80, 80)).astype(np.uint32)
    data = xr.Dataset(
        {
            "spot_x_mm": ("frame", [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
            "spot_y_mm": ("frame", np.zeros(COUNT)),
            "beam_quality": ("frame", ["valid"] * 5 + ["none", "valid"]),
            "column_field_of_view_um": ("frame", [160.0] * 6 + [50.0]),
            "voltage_volt": ("frame", np.linspace(3.0, 3.6, COUNT)),
        },
        {"test_time_second": ("frame", 60.0 * np.arange(COUNT))},
    )
    monkeypatch.setattr(film, "has_records", lambda run: True)
    monkeypatch.setattr(film, "align", lambda run, stream: data)
    monkeypatch.setattr(film, "frames", lambda run, stream: images)
    return data


def test_images_of_the_place_of_which_there_are_most_are_shown(aligned: xr.Dataset, tmp_path: Path) -> None:
    made = film.write_film(run_of(), CONFIG, tmp_path / "run.gif", stream="look")
    assert (made.shown, made.left_out) == (3, 4)
    with Image.open(made.path) as kept:
        assert kept.n_frames == 3


def test_what_takes_no_images_is_refused(aligned: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="xps takes no images; films are made of those of sem and tem"):
        film.write_film(run_of("xps"), CONFIG, tmp_path / "run.gif", stream="look")
    aligned["beam_quality"][:] = "none"
    with pytest.raises(VideoError, match="no frame of look is an image with electrons"):
        film.write_film(run_of(), CONFIG, tmp_path / "run.gif", stream="look")
    assert not list(tmp_path.iterdir())


def test_a_film_without_its_writer_is_refused(
    aligned: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video.shutil, "which", lambda name: None)
    with pytest.raises(VideoError, match=r"run.mp4 needs the command ffmpeg; install it, or .* \.gif"):
        film.write_film(run_of(), CONFIG, tmp_path / "run.mp4", stream="look")
    with pytest.raises(VideoError, match=r"end it with \.gif or \.mp4"):
        film.write_film(run_of(), CONFIG, tmp_path / "run.avi", stream="look")


def test_what_a_writer_complains_of_is_said(
    aligned: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = tmp_path / "ffmpeg"
    writer.write_text("#!/bin/sh\ncat > /dev/null\necho no such encoder >&2\nexit 1\n")
    writer.chmod(0o755)
    monkeypatch.setattr(video.shutil, "which", lambda name: str(writer))
    with pytest.raises(VideoError, match=r"ffmpeg has not written .*: no such encoder"):
        film.write_film(run_of(), CONFIG, tmp_path / "run.mp4", stream="look")
