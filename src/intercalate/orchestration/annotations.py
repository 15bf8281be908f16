"""Annotations by which the queue refuses what a plan would refuse."""

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.contract import STATION_NAMES, XRD_NAMES, OnLoss
from intercalate.orchestration.checking import MAX_EXPOSURE_S, MAX_FRAMES

Plan = Callable[..., MsgGenerator[Any]]


def device(description: str, *names: str) -> dict[str, Any]:
    """A device parameter: one of these names, as the session gives them."""
    kind = names[0].capitalize() + "Device"
    return {"description": description, "annotation": kind, "devices": {kind: list(names)}}


def devices(description: str, *names: str) -> dict[str, Any]:
    """A list of devices, each one of these names."""
    one = device(description, *names)
    return {**one, "annotation": f"typing.List[{one['annotation']}]"}


def mappings(description: str) -> dict[str, Any]:
    """A list of JSON objects, validated at the head of the plan."""
    return {"description": description, "annotation": "typing.List[dict]"}


def number(
    description: str, low: float, high: float, *, integer: bool = False, optional: bool = False
) -> dict[str, Any]:
    """A number within absolute limits."""
    kind = "int" if integer else "float"
    annotation = f"typing.Optional[{kind}]" if optional else kind
    return {"description": description, "annotation": annotation, "min": low, "max": high}


def numbers(description: str, *, optional: bool = False) -> dict[str, Any]:
    """A list of numbers, whose limits the plan checks."""
    kind = "typing.List[float]"
    return {"description": description, "annotation": f"typing.Optional[{kind}]" if optional else kind}


def number_lists(description: str) -> dict[str, Any]:
    """A list of lists of numbers, whose limits the plan checks."""
    return {"description": description, "annotation": "typing.List[typing.List[float]]"}


def text(description: str, *, optional: bool = False) -> dict[str, Any]:
    """Words, which the plan checks."""
    return {"description": description, "annotation": "typing.Optional[str]" if optional else "str"}


def texts(description: str, *, optional: bool = False) -> dict[str, Any]:
    """A list of words, which the plan checks."""
    kind = "typing.List[str]"
    return {"description": description, "annotation": f"typing.Optional[{kind}]" if optional else kind}


def flag(description: str) -> dict[str, Any]:
    """Yes or no."""
    return {"description": description, "annotation": "bool"}


def place() -> dict[str, Any]:
    """Name of a place on the sample changer, which the plan checks."""
    return {"description": "Place on the sample changer.", "annotation": "str"}


def choice(description: str, name: str, values: Iterable[str]) -> dict[str, Any]:
    """One of several words."""
    return {"description": description, "annotation": name, "enums": {name: [str(v) for v in values]}}


def loss(description: str) -> dict[str, Any]:
    """`continue` or `rest`."""
    return choice(description, "OnLossWord", OnLoss)


def mapping(description: str, *, optional: bool = False) -> dict[str, Any]:
    """A JSON object, validated at the head of the plan."""
    return {"description": description, "annotation": "typing.Optional[dict]" if optional else "dict"}


FURTHER_METADATA = mapping("Further metadata.", optional=True)
EXPOSURE = number("Exposure of each frame, s.", 0.001, MAX_EXPOSURE_S)
COUNT = number("Number of frames.", 1, MAX_FRAMES, integer=True)
STATION = device("Detector, shutter, monitors, sample changer.", *STATION_NAMES)
DIFFRACTOMETER = device("Diffractometer with all that is around it.", *XRD_NAMES)
TAKE_UP = flag("Go on with what a session that is gone has left running.")


_ANNOTATION = "queue_annotation"
"""Attribute of a plan."""


def for_queue(description: str, **parameters: dict[str, Any]) -> Callable[[Plan], Plan]:
    """Annotate a plan for the queue.

    Raises
    ------
    ValueError
        If the plan has no such parameter.
    """

    def annotate(plan: Plan) -> Plan:
        unknown = parameters.keys() - inspect.signature(plan).parameters.keys()
        if unknown:
            raise ValueError(f"{plan.__name__} has no parameter {', '.join(sorted(unknown))}")
        setattr(plan, _ANNOTATION, {"description": description, "parameters": parameters})
        # Processes of the queue have imported it before they read plans; for others it takes longer than all
        # plans together.
        return as_queued(plan) if "bluesky_queueserver" in sys.modules else plan

    return annotate


def as_queued(plan: Any) -> Any:
    """A plan as the queue reads it; anything else as it is."""
    annotation = getattr(plan, _ANNOTATION, None) if inspect.isfunction(plan) else None
    if annotation is None:
        return plan
    from bluesky_queueserver import parameter_annotation_decorator

    return parameter_annotation_decorator(annotation)(plan)
