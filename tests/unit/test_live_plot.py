"""The figure that is drawn anew while an experiment runs, in a file and in a window."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.views.live import InFile, InWindow, LivePlot, NoWindowError
from intercalate.watching import Watched


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_file(DEFAULT_CONFIG, folder=tmp_path)


def a_run(points: int) -> Watched:
    """A run under way, as far as its voltage goes."""
    run = Watched({"uid": "run", "sample": "cell", "simulated": True, "time": 0.0})
    run.course.extend((60.0 * number, 3.0 + 0.01 * number) for number in range(points))
    return run


class Kept:
    """A canvas that keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Figure] = []

    def blank(self) -> Figure:
        return Figure()

    def show(self, figure: Figure) -> None:
        self.shown.append(figure)

    def tend(self) -> None: ...


def test_what_is_new_is_drawn_and_nothing_else(config: Config) -> None:
    canvas = Kept()
    plot = LivePlot(config, canvas)
    plot.show([])
    run = a_run(5)
    plot.show([run])
    plot.show([run])
    assert len(canvas.shown) == 1
    run.course.append((300.0, 3.05))
    plot.show([run])
    line = canvas.shown[-1].axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_xdata())[-1], 300.0 / 3600.0)
    np.testing.assert_allclose(line.get_ydata(), [3.0, 3.01, 3.02, 3.03, 3.04, 3.05])
    assert "simulated" in canvas.shown[-1].get_suptitle()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_file_is_replaced_as_a_whole(config: Config, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"live.{ending}"
    plot = LivePlot(config, InFile(path))
    plot.show([a_run(5)])
    first = path.read_bytes()
    plot.show([a_run(50)])
    assert path.read_bytes() != first
    assert [one.name for one in tmp_path.glob("*live*")] == [path.name]


def test_where_no_window_opens_it_says_what_to_do() -> None:
    pyplot.switch_backend("agg")
    with pytest.raises(NoWindowError, match=r"--plot live\.png"):
        InWindow()
    pyplot.close("all")


def test_a_window_that_somebody_closes_stays_closed(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    figure, events = Figure(), []
    canvas: Any = figure.canvas
    monkeypatch.setattr(canvas, "required_interactive_framework", "a toolkit", raising=False)
    monkeypatch.setattr(canvas, "draw_idle", lambda: events.append("drawn"))
    monkeypatch.setattr(canvas, "flush_events", lambda: events.append("tended"))
    monkeypatch.setattr(pyplot, "figure", lambda *_, **__: figure)
    monkeypatch.setattr(pyplot, "show", lambda **_: None)
    plot = LivePlot(config, InWindow())
    plot.show([a_run(5)])
    plot.canvas.tend()
    assert events == ["drawn", "tended"]
    assert figure.axes[0].lines
    canvas.callbacks.process("close_event", None)
    plot.show([a_run(6)])
    plot.canvas.tend()
    assert events == ["drawn", "tended"]


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_on_a_display_a_window_opens(config: Config) -> None:
    pyplot.switch_backend("tkagg")
    plot = LivePlot(config, InWindow())
    plot.show([a_run(5)])
    plot.canvas.tend()
    pyplot.close("all")
    plot.show([a_run(6)])
    plot.canvas.tend()
    pyplot.switch_backend("agg")
