"""Scan of an electron microscope: which detector an image is made with."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

DETECTORS = ["backscattered electrons", "secondary electrons"]


class ScanPVs(PVGroup):
    """What can be set of a scan besides the column."""

    detector = pvproperty(name="ImageDetector", value=0, dtype=ChannelType.ENUM, enum_strings=DETECTORS)

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        value = self.detector.value
        return {"detector": DETECTORS[value] if isinstance(value, int) else str(value)}
