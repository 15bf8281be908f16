"""The plan of the plans folder, on the simulated beamline, and the one that its README writes down."""

import pytest

from beamline import Beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.session import Session
from intercalate.user_plans import load_user_plans

from .conftest import Documents
from .test_plans import short_protocol

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


def test_the_standard_is_seen_before_and_after(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    plan = load_user_plans(EXAMPLES / "plans").plans["operando_with_standard"]
    when, losses = {"every": {"time_s": 600.0}}, {"on_abort": "rest", "on_client_lost": "rest"}
    with pytest.raises(ValueError, match="LaB7"):
        session.RE(plan(session.cycler, session.xrd, cell, short_protocol(), when, 5.0, "LaB7", **losses))
    assert not documents.all
    session.RE(plan(session.cycler, session.xrd, cell, short_protocol(0.5), when, 5.0, **losses))
    samples = [one["sample"] for one in documents.of("start")]
    assert samples == ["LaB6", cell.name, "LaB6"]
    content = [one["content"] for one in beamline.truth()]
    assert content[:2] == content[-2:] == ["LaB6", "LaB6"]
    assert set(content[2:-2]) == {"A1"}
    assert session.xrd.changer.place.get() == "H1"
