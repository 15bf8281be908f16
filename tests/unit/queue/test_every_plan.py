"""Every plan of the menu, as the manager sees it: it takes JSON, and what is wrong is refused."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from bluesky_queueserver.manager import profile_ops

import intercalate_plans
from intercalate.config import EXAMPLES, STARTUP_FOLDER
from intercalate.contract import STATION_NAMES
from intercalate.queue.lists import lists_of, read_lists, shipped_namespace
from intercalate.queue.manager import LISTS, PERMISSIONS

FOLDER = EXAMPLES / STARTUP_FOLDER
SHIPPED = read_lists(FOLDER / LISTS)
PLANS, DEVICES = SHIPPED["existing_plans"], SHIPPED["existing_devices"]
WORDS = {"int", "float", "str", "bool", "dict"}


def verdict(name: str, given: dict[str, Any]) -> tuple[bool, str]:
    """Whether the manager takes it, and its words."""
    item = json.loads(json.dumps({"name": name, "args": [], "kwargs": given, "item_type": "plan"}))
    return profile_ops.validate_plan(item, allowed_plans=PLANS, allowed_devices=DEVICES)


def kind_of(parameter: dict[str, Any]) -> tuple[str, bool]:
    """What one value is, and whether it is a list of them."""
    said = parameter["annotation"]["type"]
    said = re.sub(r"^typing\.Optional\[(.+)\]$", r"\1", said)
    inner = re.fullmatch(r"typing\.List\[(.+)\]", said)
    return (inner[1], True) if inner else (said, False)


def right(parameter: dict[str, Any]) -> Any:
    """A value that is right."""
    (kind, is_list), annotation = kind_of(parameter), parameter["annotation"]
    if kind in annotation.get("devices", {}):
        one: Any = next(name for name in annotation["devices"][kind] if name in DEVICES)
    elif kind in annotation.get("enums", {}):
        one = annotation["enums"][kind][0]
    elif kind in ("int", "float"):
        low, high = float(parameter.get("min", 1)), float(parameter.get("max", 2))
        one = int(low) if kind == "int" else (low + high) / 2
    else:
        one = {"str": "words", "bool": True, "dict": {"a": 1}, "typing.List[float]": [0.5]}[kind]
    return [one] if is_list else one


def wrong(parameter: dict[str, Any]) -> Iterator[Any]:
    """Values that nobody can mean."""
    (kind, is_list), annotation = kind_of(parameter), parameter["annotation"]
    nobodys: list[Any] = []
    if kind in annotation.get("devices", {}):
        others = [name for name in DEVICES if name not in annotation["devices"][kind]]
        nobodys = ["no_such_device", others[0], 3]
    elif kind in annotation.get("enums", {}):
        nobodys = ["no_such_word", 3]
    elif kind in ("int", "float"):
        nobodys = ["many", [1], {}]
        nobodys += [float(parameter["min"]) - 1.0] if "min" in parameter else []
        nobodys += [float(parameter["max"]) * 2.0 + 1.0] if "max" in parameter else []
        nobodys += [1.5] if kind == "int" else []
    elif kind == "str":
        nobodys = [3, {}, ["words"]]
    elif kind == "bool":
        nobodys = ["perhaps", {}, []]
    elif kind == "dict":
        nobodys = ["words", 3]
    else:
        nobodys = ["words", 3, ["words"]]
    yield from ([one] for one in nobodys) if is_list else nobodys
    if is_list:
        yield right(parameter)[0]


def right_request(name: str) -> dict[str, Any]:
    return {one["name"]: right(one) for one in PLANS[name]["parameters"]}


@pytest.mark.parametrize("name", intercalate_plans.__all__)
def test_what_a_plan_takes_is_json_and_is_said_of_every_parameter(name: str) -> None:
    plan = getattr(intercalate_plans, name)
    assert [one["name"] for one in PLANS[name]["parameters"]] == list(inspect.signature(plan).parameters)
    for one in PLANS[name]["parameters"]:
        kind, _ = kind_of(one)
        known = {*WORDS, *one["annotation"].get("devices", {}), *one["annotation"].get("enums", {})}
        assert kind in known or kind == "typing.List[float]", (one["name"], kind)
        assert one["description"]


@pytest.mark.parametrize("name", intercalate_plans.__all__)
def test_the_manager_takes_what_is_right_and_refuses_what_is_wrong(name: str) -> None:
    request = right_request(name)
    accepted, message = verdict(name, request)
    assert accepted, message
    assert not verdict(name, {**request, "no_such_parameter": 1})[0]
    for one in PLANS[name]["parameters"]:
        for value in wrong(one):
            accepted, _ = verdict(name, {**request, one["name"]: value})
            assert not accepted, f"{one['name']} = {value!r} is taken"
        if "default" not in one:
            left_out = {key: value for key, value in request.items() if key != one["name"]}
            assert not verdict(name, left_out)[0], f"{one['name']} may be left out"


def test_the_shipped_list_is_that_of_the_code() -> None:
    """`python -m intercalate.queue.lists profiles/profile_intercalate/startup` writes it anew."""
    assert lists_of(shipped_namespace())["existing_plans"] == PLANS


def test_the_shipped_devices_are_those_that_plans_name() -> None:
    named = {
        device
        for plan in PLANS.values()
        for one in plan["parameters"]
        for devices in one["annotation"].get("devices", {}).values()
        for device in devices
    }
    assert {*STATION_NAMES, "cycler", "cycler_2", "transfer_vessel", "archive", "logbook"} <= DEVICES.keys()
    assert {name for name in named - DEVICES.keys() if not name.startswith("cycler_")} == set()


@pytest.mark.parametrize(("group", "count"), [("primary", len(PLANS)), ("observer", 0)])
def test_groups_may_run_what_the_permissions_say(group: str, count: int) -> None:
    path = FOLDER / PERMISSIONS
    permissions = profile_ops.load_user_group_permissions(str(path))
    profile_ops.validate_user_group_permissions(permissions)
    plans, devices = profile_ops.load_allowed_plans_and_devices(
        path_existing_plans_and_devices=str(FOLDER / LISTS), user_group_permissions=permissions
    )
    assert len(plans[group]) == count
    assert bool(devices[group]) == bool(count)
    may = profile_ops.check_if_function_allowed
    assert may("reload_plans", group_name=group, user_group_permissions=permissions) == bool(count)
    assert not may("eval", group_name=group, user_group_permissions=permissions)
    assert set(yaml.safe_load(path.read_text())["user_groups"]) == {"root", "primary", "observer"}
