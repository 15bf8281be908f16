"""Calibrates a simulated beamline as its users would."""

from intercalate.session import Session
from intercalate_plans import calibrate_geometry, take_background, take_darks, take_flat

FLAT_S = 300.0


def calibrate(session: Session, exposure_s: float = 60.0) -> None:
    """Take darks, geometry, flat field and background for one exposure."""
    session.RE(take_darks(session.xrd, [exposure_s, FLAT_S], 6))
    session.RE(calibrate_geometry(session.xrd, "LaB6", exposure_s))
    session.RE(take_flat(session.xrd, FLAT_S, 6))
    session.RE(take_background(session.xrd, exposure_s, 6))
