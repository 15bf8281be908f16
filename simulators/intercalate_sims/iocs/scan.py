"""Scans of electron microscopes: how an image, a map or a spectrum image is made."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from typing import Any

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

MODES = ["image", "diffraction"]
DETECTORS = ["backscattered electrons", "secondary electrons"]


class ScanPVs(PVGroup):
    """What can be set of a scan besides the column."""

    detector = pvproperty(name="ImageDetector", value=0, dtype=ChannelType.ENUM, enum_strings=DETECTORS)

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        value = self.detector.value
        return {"detector": DETECTORS[value] if isinstance(value, int) else str(value)}


class OrientationScanPVs(PVGroup):
    """What can be set of an orientation map besides the column."""

    step = pvproperty(
        name="Step", value=1.25, units="um", precision=3, lower_ctrl_limit=0.02, upper_ctrl_limit=20.0
    )
    tilt = pvproperty(
        name="Tilt", value=70.0, units="deg", precision=2, lower_ctrl_limit=0.0, upper_ctrl_limit=80.0
    )

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        return {"step_um": float(self.step.value), "tilt_deg": float(self.tilt.value)}


class TransmissionScanPVs(PVGroup):
    """What a frame of a transmission microscope is."""

    mode = pvproperty(name="Mode", value=0, dtype=ChannelType.ENUM, enum_strings=MODES)
    bias = pvproperty(
        name="Bias", value=0.0, units="V", precision=3, lower_ctrl_limit=-6.0, upper_ctrl_limit=6.0
    )

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        value = self.mode.value
        mode = MODES[value] if isinstance(value, int) else str(value)
        return {"mode": mode, "bias_v": float(self.bias.value)}


class LossScanPVs(PVGroup):
    """What can be set of a spectrum image besides the column."""

    step = pvproperty(
        name="Step", value=1.0, units="nm", precision=3, lower_ctrl_limit=0.1, upper_ctrl_limit=100.0
    )
    row_step = pvproperty(
        name="RowStep", value=1.0, units="nm", precision=3, lower_ctrl_limit=0.1, upper_ctrl_limit=100.0
    )
    bias = pvproperty(
        name="Bias", value=0.0, units="V", precision=3, lower_ctrl_limit=-6.0, upper_ctrl_limit=6.0
    )

    @property
    def settings(self) -> dict[str, Any]:
        """What a probe must know of it."""
        return {
            "step_nm": float(self.step.value),
            "row_step_nm": float(self.row_step.value),
            "bias_v": float(self.bias.value),
        }
