"""The scans of an electron microscope."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, Kind

SizeMm = tuple[float, float]
"""Width and height."""


class ColumnScan(Device):
    """What the column of an electron microscope exposes: its field of view, unless a scan says otherwise."""

    settable: tuple[str, ...] = ()

    def exposed_mm(self, field_mm: SizeMm) -> SizeMm:
        """Of the sample, with this field of view."""
        return field_mm


class GridScan(ColumnScan):
    """A scan over a grid of points.

    Parameters
    ----------
    points
        Rows and columns.
    """

    def __init__(self, prefix: str, *, name: str, points: tuple[int, int], **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self._points = points

    def _grid_mm(self, step_mm: float, row_step_mm: float) -> SizeMm:
        rows, columns = self._points
        return columns * step_mm, rows * row_step_mm


class Scan(ColumnScan):
    """With which detector the next images are made: `backscattered electrons` or `secondary electrons`.

    Attributes
    ----------
    settable
        What a measurement may ask to be set.
    """

    settable = ("image_detector",)

    image_detector = Cpt(EpicsSignal, "ImageDetector", string=True, kind=Kind.normal)


class OrientationScan(GridScan):
    """How the next orientation maps are made.

    Attributes
    ----------
    step_um
        Between two points; what lies beyond the field of view of the column is left out.
    tilt_deg
        Of the sample against the beam's plane; patterns are strong near 70.
    settable
        What a measurement may ask to be set.
    """

    settable = ("step_um", "tilt_deg")

    step_um = Cpt(EpicsSignal, "Step", kind=Kind.normal)
    tilt_deg = Cpt(EpicsSignal, "Tilt", kind=Kind.normal)

    def exposed_mm(self, field_mm: SizeMm) -> SizeMm:
        """The map, or what lies of it in the field of view: the beam is nowhere else."""
        step_mm = float(self.step_um.get()) / 1e3
        width_mm, height_mm = (min(pair) for pair in zip(self._grid_mm(step_mm, step_mm), field_mm))
        return width_mm, height_mm


class TransmissionScan(ColumnScan):
    """What the next frames of a transmission microscope are: `image` or `diffraction`.

    Attributes
    ----------
    bias_v
        Between the electrodes of the holder on the stage.
    settable
        What a measurement may ask to be set.
    """

    settable = ("mode", "bias_v")

    mode = Cpt(EpicsSignal, "Mode", string=True, kind=Kind.normal)
    bias_v = Cpt(EpicsSignal, "Bias", kind=Kind.normal)


class LossScan(GridScan):
    """How the next spectrum images are made.

    Attributes
    ----------
    step_nm, row_step_nm
        Between two columns, and between two rows. Within such a pixel the beam is swept, so its dose is even.
    bias_v
        Between the electrodes of the holder on the stage while the scan is made.
    settable
        What a measurement may ask to be set.
    """

    settable = ("step_nm", "row_step_nm", "bias_v")

    step_nm = Cpt(EpicsSignal, "Step", kind=Kind.normal)
    row_step_nm = Cpt(EpicsSignal, "RowStep", kind=Kind.normal)
    bias_v = Cpt(EpicsSignal, "Bias", kind=Kind.normal)

    def exposed_mm(self, field_mm: SizeMm) -> SizeMm:
        """The scan: a focused beam is nowhere else, whatever an image would illuminate."""
        return self._grid_mm(float(self.step_nm.get()) / 1e6, float(self.row_step_nm.get()) / 1e6)


AnyScan = Scan | OrientationScan | TransmissionScan | LossScan
