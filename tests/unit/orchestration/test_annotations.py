"""What the queue accepts: its own checks, on the plans as they are."""

import inspect
import subprocess
import sys
from typing import Any

import pytest
from bluesky_queueserver.manager import profile_ops

import intercalate_plans
from intercalate.config import EXAMPLES
from intercalate.orchestration.annotations import COUNT, as_queued, for_queue
from intercalate.protocol import Protocol

DEVICES = ("cycler", "diffractometer", "changer", "xrd", "sem", "xps")


@pytest.fixture(scope="module")
def plans() -> dict[str, Any]:
    """Descriptions that the RE Manager makes of the plans."""
    found = {}
    for name in intercalate_plans.__all__:
        plan = as_queued(getattr(intercalate_plans, name))
        found[name] = profile_ops._process_plan(plan, existing_devices={}, existing_plans={})
    return found


def verdict(plans: dict[str, Any], name: str, *args: Any, **kwargs: Any) -> tuple[bool, str]:
    devices = {one: {"is_readable": True, "is_flyable": True, "is_movable": True} for one in DEVICES}
    return profile_ops.validate_plan(
        {"name": name, "args": list(args), "kwargs": kwargs, "item_type": "plan"},
        allowed_plans=plans,
        allowed_devices=devices,
    )


def operando_request(**changes: Any) -> dict[str, Any]:
    request = {
        "cycler": "cycler",
        "station": "xrd",
        "cell": {},
        "protocol": {},
        "when": {"every": {"time_s": 60}},
        "exposure_s": 30.0,
        "on_abort": "rest",
        "on_client_lost": "continue",
    }
    return request | changes


def test_every_public_plan_can_be_described_to_the_queue(plans: dict[str, Any]) -> None:
    assert set(plans) == set(intercalate_plans.__all__)
    assert all(plan["parameters"] for plan in plans.values())


def test_a_right_request_is_accepted(plans: dict[str, Any]) -> None:
    accepted, message = verdict(plans, "operando", **operando_request())
    assert accepted, message


@pytest.mark.parametrize(
    "change",
    [
        {"detector": "detector_7"},
        {"cycler": "changer"},
        {"exposure_s": -1.0},
        {"exposure_s": 1e6},
        {"exposure_s": "long"},
        {"on_abort": "burn"},
        {"initial_soc": 1.5},
        {"nonsense": 1},
    ],
)
def test_a_wrong_request_is_refused(plans: dict[str, Any], change: dict[str, Any]) -> None:
    accepted, message = verdict(plans, "operando", **operando_request(**change))
    assert not accepted
    assert message


def test_what_becomes_of_the_cell_must_be_said(plans: dict[str, Any]) -> None:
    request = operando_request()
    del request["on_abort"]
    accepted, _ = verdict(plans, "operando", **request)
    assert not accepted


MILLING = {"station": "sem", "at": "V1", "cell": {}, "width_um": 8.0, "height_um": 8.0, "depth_um": 3.0}
SPUTTERING = {"station": "xps", "at": "V1", "cell": {}, "regions": ["C 1s"], "fluences_1e16_cm2": [0.5, 1.0]}


@pytest.mark.parametrize(("name", "request_"), [("mill_section", MILLING), ("depth_profile", SPUTTERING)])
def test_what_cannot_be_undone_is_confirmed_in_the_queue_too(
    plans: dict[str, Any], name: str, request_: dict[str, Any]
) -> None:
    accepted, message = verdict(plans, name, **request_, confirm="mill NAME at V1")
    assert accepted, message
    assert not verdict(plans, name, **request_)[0]
    assert not verdict(plans, name, **request_, confirm=True)[0]
    other = {"sem": "xps", "xps": "sem"}[request_["station"]]
    assert not verdict(plans, name, **{**request_, "station": other}, confirm="mill NAME at V1")[0]


def test_an_annotation_of_a_parameter_that_is_not_there_is_refused() -> None:
    def plan(count: int) -> Any:
        yield from ()

    assert as_queued(for_queue("Nothing.", count=COUNT)(plan))._custom_parameter_annotation_["parameters"]
    with pytest.raises(ValueError, match="plan has no parameter cuont"):
        for_queue("Nothing.", cuont=COUNT)(plan)


def test_a_session_does_not_import_the_queue_for_its_plans() -> None:
    script = "import sys, intercalate_plans; sys.exit('bluesky_queueserver' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_plan_modules_keep_their_annotations_readable() -> None:
    """The queue evaluates annotations and defaults: no postponed evaluation, literal defaults only."""
    for name in intercalate_plans.__all__:
        plan = inspect.unwrap(getattr(intercalate_plans, name))
        assert "from __future__ import annotations" not in inspect.getsource(inspect.getmodule(plan))
        for parameter in inspect.signature(plan).parameters.values():
            default = parameter.default
            assert default is inspect.Parameter.empty or isinstance(default, (int, float, str, type(None)))
            assert parameter.kind is not inspect.Parameter.VAR_POSITIONAL


def test_the_shipped_protocols_load() -> None:
    for path in (EXAMPLES / "protocols").glob("*.json"):
        assert Protocol.from_file(path).describe()
