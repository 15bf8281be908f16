"""What is queued: items of plans and experiment files, checked as their plans check them."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from intercalate.config import EXAMPLES, Config
from intercalate.orchestration.taking_up import QUEUE_ORDER
from intercalate.problems import ProblemsError
from intercalate.queue.held import HeldItems
from intercalate.queue.items import (
    BATCH,
    ItemError,
    batch_of,
    experiment_items,
    plan_item,
    release,
    released,
    released_from,
)

CELL = EXAMPLES / "cells" / "nmc811_graphite_operando.toml"
PROTOCOL = EXAMPLES / "protocols" / "formation_c10.json"
CHARGING = (
    "cycler=cycler",
    f"cell=@{CELL}",
    f"protocol=@{PROTOCOL}",
    "on_abort=rest",
    "on_client_lost=continue",
)


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_file(EXAMPLES / "config" / "simulated.toml")


def test_words_are_json_text_or_files(config: Config) -> None:
    item = plan_item("count_frames", ["detector=diffractometer", "count=3", "exposure_s=1.5"], config)
    assert item["kwargs"] == {"detector": "diffractometer", "count": 3, "exposure_s": 1.5}
    item = plan_item("charge_discharge", CHARGING, config)
    assert item["kwargs"]["protocol"] == json.loads(PROTOCOL.read_text())
    assert json.loads(json.dumps(item)) == item


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("diffractometer",), "write name=value"),
        (("count=1", "count=2"), "given twice"),
        (("cell=@nowhere.toml",), "no such file"),
        (("colour=red",), "has no parameter 'colour'"),
    ],
)
def test_words_that_say_nothing_are_refused(config: Config, words: tuple[str, ...], why: str) -> None:
    with pytest.raises((ItemError, ProblemsError), match=why):
        plan_item("count_frames", words, config)


def head_of(name: str, given: dict[str, Any], config: Config) -> str:
    """What the head of a plan says of parameters, with a channel that has the limits of the site."""
    import intercalate_plans
    from intercalate.orchestration import checking

    class Channel:
        """All that the head asks of a channel."""

        site = config.site
        channel = "CH1"

    original = checking.require_role
    plan = inspect.unwrap(getattr(intercalate_plans, name))
    module = inspect.getmodule(plan)
    assert module is not None
    module.require_role = lambda *_: None  # type: ignore[attr-defined]
    try:
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            next(plan(**{**given, "cycler": Channel()}))
    finally:
        module.require_role = original  # type: ignore[attr-defined]
    return str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": {"method": [{"step": "constant_current", "current_mA": 1e5, "until_time_s": 60}]}},
        {"protocol": {"method": [{"step": "constant_curent", "rate_C": 1.0, "until_time_s": 60}]}},
        {"protocol": {"method": []}},
        {"cell": {"name": "half of a cell"}},
        {"initial_soc": 3.0},
    ],
)
def test_what_the_head_of_a_plan_refuses_is_refused_in_the_same_words(
    config: Config, wrong: dict[str, Any]
) -> None:
    good = plan_item("charge_discharge", CHARGING, config)["kwargs"]
    words = [f"{key}={json.dumps(value)}" for key, value in ({**good, **wrong}).items() if key != "md"]
    with pytest.raises(ProblemsError) as refused:
        plan_item("charge_discharge", words, config)
    said = head_of("charge_discharge", {**good, **wrong}, config)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "path", sorted((EXAMPLES / "experiments").glob("*.toml")), ids=lambda path: path.stem
)
def test_every_example_is_an_item_of_names_and_json(path: Path, config: Config) -> None:
    items = experiment_items(path, config)
    assert json.loads(json.dumps(items)) == items
    assert len({batch_of(item) for item in items}) == 1
    assert batch_of(items[0])
    orders = {item["kwargs"]["md"][QUEUE_ORDER] for item in items if item["kwargs"].get("on_client_lost")}
    assert len(orders) == sum(item["name"] not in ("preflight", "pressure_scan") for item in items)


def test_the_preflight_of_each_cell_comes_before_the_experiment(config: Config) -> None:
    items = experiment_items(EXAMPLES / "experiments" / "two_cells.toml", config)
    assert [item["name"] for item in items] == ["preflight", "preflight", "operando_cells"]
    assert [item["kwargs"]["place"] for item in items[:2]] == ["H1", "H2"]


def test_a_released_item_is_a_new_order_of_the_same(config: Config) -> None:
    item = plan_item("charge_discharge", CHARGING, config)
    again = released({**item, "item_uid": "1", "user": "a", "meta": {BATCH: "b"}}, "1")
    assert released_from(again) == "1"
    assert batch_of(again) == "b"
    assert again["kwargs"]["md"][QUEUE_ORDER] != item["kwargs"]["md"][QUEUE_ORDER]
    assert {**again["kwargs"], "md": None} == {**item["kwargs"], "md": None}
    assert "user" not in again


class Client:
    """A manager that takes everything, and breaks off when told to."""

    def __init__(self) -> None:
        self.queued: list[dict[str, Any]] = []

    def items(self) -> list[dict[str, Any]]:
        return self.queued

    def running(self) -> dict[str, Any]:
        return {}

    def history(self) -> list[dict[str, Any]]:
        return []

    def add(self, items: list[dict[str, Any]], pos: str) -> list[dict[str, Any]]:
        self.queued += items
        return items


def test_an_attempt_to_release_that_was_broken_off_doubles_nothing(config: Config, tmp_path: Path) -> None:
    here = config.model_copy(update={"storage": config.storage.model_copy(update={"folder": tmp_path})})
    held, client = HeldItems(here), Client()
    item = plan_item("charge_discharge", CHARGING, config)
    held.hold({**item, "item_uid": "one"}, "failed")
    held.hold({**item, "item_uid": "two"}, "failed")
    client.queued.append(released(held.find("one").item, "one"))
    release(client, held, held.read(), "front")  # type: ignore[arg-type]
    assert [released_from(one) for one in client.queued] == ["one", "two"]
    assert held.read() == []
