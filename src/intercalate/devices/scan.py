"""The scans of an electron microscope."""

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, Kind


class Scan(Device):
    """With which detector the next images are made: `backscattered electrons` or `secondary electrons`.

    Attributes
    ----------
    settable
        What a measurement may ask to be set.
    """

    settable = ("image_detector",)

    image_detector = Cpt(EpicsSignal, "ImageDetector", string=True, kind=Kind.normal)


class OrientationScan(Device):
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


class TransmissionScan(Device):
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


class LossScan(Device):
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


AnyScan = Scan | OrientationScan | TransmissionScan | LossScan
