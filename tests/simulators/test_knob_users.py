"""Knobs can be kept for who teaches; what a client may set for its measurement is everybody's."""

import asyncio
from typing import Any

import pytest
from caproto import ChannelDouble, ChannelType
from caproto._data import Forbidden

from intercalate_sims.iocs.knobs import only_for
from intercalate_sims.settings import SimulationSettings

KNOB, COMMAND = "SIM:CYC:CH1:Knob:OverTemperature", "SIM:XRD:StageX"


def written(pv: Any, user: str) -> float:
    """What a PV holds after this user has asked for 3."""
    asyncio.run(pv.auth_write("localhost", user, [3.0], ChannelType.DOUBLE, None))
    return float(pv.value)


@pytest.fixture
def pvdb() -> dict[str, Any]:
    return {KNOB: ChannelDouble(value=0.0), COMMAND: ChannelDouble(value=0.0)}


def test_a_knob_is_turned_by_those_who_are_named(pvdb: dict[str, Any]) -> None:
    only_for(["teacher"], pvdb)
    with pytest.raises(Forbidden):
        written(pvdb[KNOB], "student")
    assert pvdb[KNOB].value == 0.0
    assert written(pvdb[KNOB], "teacher") == 3.0
    assert written(pvdb[COMMAND], "student") == 3.0


def test_where_nobody_is_named_everybody_may(pvdb: dict[str, Any]) -> None:
    only_for([], pvdb)
    assert written(pvdb[KNOB], "student") == 3.0
    assert SimulationSettings.model_fields["knob_users"].default == ()
