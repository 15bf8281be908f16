"""The course of the voltage and the last pattern, drawn anew while an experiment runs."""

import contextlib
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from matplotlib.figure import Figure

from intercalate.calibrations import CalibrationError
from intercalate.catalog.frames import open_frames
from intercalate.config import Config
from intercalate.contract import XRD_NAMES
from intercalate.correction_chain import chain_of
from intercalate.reduction.chain import UnusableFrameError
from intercalate.watching import FrameSeen, Watched, voltage_course

FRAMES_AT = "entry/data/data"
"""Of an areaDetector's file."""
SIZE_IN = (7.0, 6.0)


class NoWindowError(RuntimeError):
    """There is no display here, or nothing by which to draw on it."""


class Canvas(Protocol):
    """Where a figure is drawn that changes."""

    def blank(self) -> Figure:
        """An empty figure to draw on."""
        ...

    def show(self, figure: Figure) -> None:
        """Show what has been drawn on it."""
        ...

    def tend(self) -> None:
        """Do what has to be done often, whether there is something new or not."""
        ...


class InFile:
    """A figure in a file, which is replaced as a whole.

    Parameters
    ----------
    path
        Of the figure, whose ending says in which format.
    """

    def __init__(self, path: Path):
        self._path = path

    def blank(self) -> Figure:
        """See `Canvas`."""
        return Figure(figsize=SIZE_IN, layout="constrained")

    def show(self, figure: Figure) -> None:
        """See `Canvas`."""
        hidden = self._path.with_name(f".{self._path.name}")
        figure.savefig(hidden, format=self._path.suffix.lstrip(".") or "png")
        hidden.replace(self._path)

    def tend(self) -> None:
        """See `Canvas`."""


class InWindow:
    """A figure in a window; where somebody closes it, it stays closed.

    Raises
    ------
    NoWindowError
        If no window can be opened here.
    """

    def __init__(self) -> None:
        from matplotlib import pyplot

        self._figure = pyplot.figure("intercalate", figsize=SIZE_IN, layout="constrained")
        if self._figure.canvas.required_interactive_framework is None:
            raise NoWindowError(
                "no window opens here: there is no display, or no toolkit by which matplotlib draws on it "
                "(Tk, Qt, GTK or wx); draw into a file, `intercalate watch --plot live.png`"
            )
        self._is_open = True
        self._figure.canvas.mpl_connect("close_event", self._closed)
        self._figure.text(0.5, 0.5, "nothing runs", ha="center")
        pyplot.show(block=False)

    def _closed(self, event: object) -> None:
        self._is_open = False

    def blank(self) -> Figure:
        """See `Canvas`."""
        if not self._is_open:
            return Figure(figsize=SIZE_IN)
        self._figure.clear()
        return self._figure

    def show(self, figure: Figure) -> None:
        """See `Canvas`."""
        if self._is_open:
            self._figure.canvas.draw_idle()

    def tend(self) -> None:
        """See `Canvas`."""
        if self._is_open:
            self._figure.canvas.flush_events()


class LivePlot:
    """Voltage and last pattern of what runs.

    Parameters
    ----------
    canvas
        Where they are drawn.
    """

    def __init__(self, config: Config, canvas: Canvas):
        self._config = config
        self.canvas = canvas
        self._drawn: Any = None
        self._chains: dict[tuple[str, float], Any] = {}

    def show(self, runs: list[Watched]) -> None:
        """Draw what is new; nothing happens where nothing is."""
        now = [(one.name, len(one.course), one.frames) for one in runs]
        if not runs or now == self._drawn:
            return
        self._drawn = now
        figure = self.canvas.blank()
        above, below = figure.subplots(2, 1)
        for one in runs:
            course = voltage_course(one)
            above.plot(course[:, 0], course[:, 1], label=one.name)
        above.set(xlabel="time / h", ylabel="voltage / V")
        above.legend()
        latest = [one for one in runs if one.last_frame is not None]
        if latest:
            self._draw_frame(below, latest[-1])
        else:
            below.set_axis_off()
        simulated = any(one.start.get("simulated") for one in runs)
        figure.suptitle("running" + (", simulated data" if simulated else ""))
        self.canvas.show(figure)

    def _draw_frame(self, axes: Any, run: Watched) -> None:
        one = run.last_frame
        assert one is not None
        axes.set_title(f"{run.name}: {one.stream} {one.number}", fontsize="medium")
        counts = _counts(one)
        if counts is None:
            axes.text(0.5, 0.5, "the frame cannot be read yet", ha="center", transform=axes.transAxes)
        elif counts.shape[0] == 1:
            axes.plot(counts[0], lw=0.8)
            axes.set(xlabel="channel", ylabel="counts")
        elif (pattern := self._pattern(run, one, counts)) is not None:
            axes.plot(pattern.two_theta_deg, pattern.intensity, lw=0.8)
            axes.set(xlabel="2θ / °", ylabel="intensity")
        else:
            axes.imshow(counts, cmap="gray", vmin=np.percentile(counts, 1), vmax=np.percentile(counts, 99.5))
            axes.set(xlabel="column", ylabel="row")

    def _pattern(self, run: Watched, one: FrameSeen, counts: np.ndarray) -> Any:
        """Of a diffraction frame whose instrument is calibrated; None else."""
        from intercalate.results import calibrations_of, instrument_of

        instrument = instrument_of(run.start, one.stream)
        if instrument not in XRD_NAMES or instrument not in self._config.instruments:
            return None
        key = (instrument, one.exposure_s)
        if key not in self._chains:
            section = self._config.instrument(instrument)
            known, _ = calibrations_of(run.start, instrument, self._config)
            try:
                full = section.detector.saturation_counts
                self._chains[key] = chain_of(known, one.exposure_s, full, background=False)[0]
            except CalibrationError:
                self._chains[key] = None
        chain = self._chains[key]
        if chain is None:
            return None
        with contextlib.suppress(UnusableFrameError, ValueError):
            return chain.reduce(counts).pattern
        return None


def _counts(one: FrameSeen) -> np.ndarray | None:
    if one.file is None or one.index < 0:
        return None
    try:
        with open_frames(one.file) as file:
            frames = file[FRAMES_AT]
            assert isinstance(frames, h5py.Dataset)
            return np.asarray(frames[one.index])
    except (OSError, KeyError, IndexError):
        return None
