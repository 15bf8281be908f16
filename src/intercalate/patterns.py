"""Frames of a diffractometer as patterns, corrected and integrated, without a fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import xarray as xr

from intercalate.analysis import Exposure
from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, Kind, exposure_key
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import frames
from intercalate.catalog.kept import kept
from intercalate.catalog.linked import has_records
from intercalate.config import Config
from intercalate.correction_chain import chain_of
from intercalate.reduction import Pattern
from intercalate.reduction.chain import ReductionChain, UnusableFrameError
from intercalate.reflection import is_reflection, wedge
from intercalate.results import calibrations_of, exposures_of_frames, incidence_deg, one_exposure

Progress = Callable[[int], None]


@dataclass(frozen=True)
class PatternSource:
    """How the frames of one stream become patterns.

    Attributes
    ----------
    aligned
        What belongs to each frame, as of `align` or `frames_alone`.
    chain
        Corrections and integration.
    calibrations
        In the chain, by name.
    """

    run: Any
    stream: str
    aligned: xr.Dataset
    chain: ReductionChain
    calibrations: dict[str, Calibration]
    exposures: list[Exposure]

    @property
    def is_normalised(self) -> bool:
        """Whether patterns are divided by monitor counts."""
        return any(one.monitor == one.monitor for one in self.exposures)

    def patterns(self, progress: Progress = lambda done: None) -> Iterator[Pattern | str]:
        """Pattern of each frame, or why there is none; `progress` is told how many are done."""
        images = frames(self.run, self.stream)
        try:
            for number, one in enumerate(self.exposures):
                yield self._pattern(images, number, one)
                progress(number + 1)
        finally:
            images.close()

    def _pattern(self, images: Any, number: int, one: Exposure) -> Pattern | str:
        if one.quality is BeamQuality.NONE:
            return "no beam: I0 is below its limit"
        if self.is_normalised and one.monitor != one.monitor:
            return "the monitor counts belong to another exposure"
        before = images[number - 1] if one.follows else None
        try:
            return self.chain.reduce(images[number], before=before, monitor=one.monitor).pattern
        except UnusableFrameError as error:
            return str(error)


def pattern_source(run: Any, config: Config, stream: str, instrument: str) -> PatternSource:
    """Find what the frames of a stream are reduced with: the calibrations that the run names before others.

    Raises
    ------
    CalibrationError
        If geometry, flat field or dark frames are missing.
    ValueError
        If the frames differ in exposure.
    """
    run = kept(run)
    aligned = align(run, stream) if has_records(run) else frames_alone(run, stream)
    start, exposure_s = run.metadata["start"], one_exposure(aligned)
    section: Any = config.instrument(instrument)
    known, _ = calibrations_of(start, instrument, config)
    detector = section.diffractometer
    chain, used = chain_of(
        known,
        exposure_s,
        detector.saturation_counts,
        # Between diamonds nothing is known of what lies beside the sample.
        background=start.get("pressed_sample") is None,
        polarisation=detector.polarisation,
    )
    if start.get("pressed_sample") is None and is_reflection(incidence_deg(aligned)):
        chain = wedge(chain)
    exposures = exposures_of_frames(aligned, used[f"{Kind.DARK}:{exposure_key(exposure_s)}"])
    return PatternSource(run, stream, aligned, chain, used, exposures)
