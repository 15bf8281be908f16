"""Marks on a holder, by which a laser finds the places of a sample."""

from collections.abc import Iterator

import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.calibrations import Kind
from intercalate.session import Session
from intercalate_plans import align_cell, focus_laser, map_raman, register_marks

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """So slow that the focus drifts little while hundreds of places are visited, as at a beamline."""
    running = start_beamline(tmp_path_factory.mktemp("marks"), rate=200.0, raman=True)
    yield running
    running.services.stop()


def test_marks_say_where_a_laser_meets_the_sample(
    session: Session, beamline: Beamline, documents: Documents
) -> None:
    raman = session.raman
    assert raman is not None
    session.RE(align_cell(session.xrd, "H1"))
    session.RE(focus_laser(raman, "H1"))
    with pytest.raises(TypeError, match="marks are looked for by sem or raman"):
        session.RE(register_marks(session.xrd, "H1"))
    session.RE(register_marks(raman, "H1"))
    kept = raman.calibrations.store.need(Kind.BESIDE).values
    assert raman.beside_mm == (kept["x_mm"], kept["y_mm"])
    assert kept["residual_um"] < 30.0
    session.RE(map_raman(raman, "H1", extent_um=0.0, points=1, exposure_s=1.0))
    place_um = np.array(beamline.truth("truth_raman")[-1]["place_um"])
    assert place_um == pytest.approx([0.0, 0.0], abs=12.0)
