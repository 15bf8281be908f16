"""The scan of an electron microscope."""

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
