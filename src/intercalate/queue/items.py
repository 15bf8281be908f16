"""What goes into the queue: plans by name, and experiments by file, checked as their plans check them."""

import inspect
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intercalate.config import Config
from intercalate.contract import CYCLER_NAMES
from intercalate.experiment import Experiment, ExperimentCell
from intercalate.orchestration.assembling import check_task
from intercalate.orchestration.occasions import check_when
from intercalate.orchestration.taking_up import QUEUE_ORDER
from intercalate.orchestration.tasks import CellTask
from intercalate.orchestration.when import When
from intercalate.pressed import CheckedScan, is_pressure_scan
from intercalate.problems import did_you_mean, read_file
from intercalate.queue.client import QueueClient
from intercalate.queue.held import HeldItem, HeldItems
from intercalate.user_plans import load_user_plans

BATCH = "queue_batch"
"""Key of the metadata of items that belong together: where one is held, the others are."""
RELEASED_FROM = "released_from"
"""Key of the metadata of an item that was held, with the uid that it had."""


class ItemError(ValueError):
    """What was to be queued is refused; the message says why and what to do."""


Item = dict[str, Any]


def plan_item(name: str, words: Sequence[str], config: Config) -> Item:
    """Item of a plan, of words as they stand on the command line: `exposure_s=30`, `cell=@cells/mine.toml`.

    Raises
    ------
    ItemError, ProblemsError
        If a word is none of these, a file cannot be read, or the plan would refuse it.
    """
    given: dict[str, Any] = {}
    for word in words:
        key, is_given, value = word.partition("=")
        if not is_given or not key.isidentifier():
            raise ItemError(
                f"{word!r} gives no parameter; write name=value, or name=@file.toml for a file's content"
            )
        if key in given:
            raise ItemError(f"{key} is given twice")
        given[key] = _value(key, value)
    return _item(name, given, config)


def experiment_items(path: Path, config: Config) -> list[Item]:
    """Items of an experiment file: a preflight of each cell, where it asks for them, and the experiment.

    Raises
    ------
    ItemError, ProblemsError
        If it cannot be done here.
    """
    if is_pressure_scan(path):
        return _one_batch([_pressing(CheckedScan.from_file(path, config), config)])
    # Its conditions may name functions of the files that the worker has too.
    load_user_plans(config.plans_folder)
    experiment = Experiment.from_file(path, config.site)
    preflights = [
        item for cell in experiment.cells for item in _preflights(cell, config) if experiment.preflight
    ]
    return _one_batch([*preflights, _experiment(experiment, config)])


def released(item: Mapping[str, Any], uid: str) -> Item:
    """A held item to be done once more, because a person has said so: an order of its own."""
    kept = {key: item[key] for key in ("item_type", "name", "args", "kwargs") if key in item}
    meta = {**_meta(item), RELEASED_FROM: uid}
    return {**kept, "kwargs": _ordered(kept["name"], kept.get("kwargs", {}), anew=True), "meta": meta}


def _meta(item: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of an item; whoever queued it may have given none, or a list."""
    meta = item.get("meta")
    return dict(meta) if isinstance(meta, Mapping) else {}


def batch_of(item: Mapping[str, Any]) -> str | None:
    """What an item belongs to."""
    return _meta(item).get(BATCH)


def released_from(item: Mapping[str, Any]) -> str | None:
    """Uid that it had when it was held."""
    return _meta(item).get(RELEASED_FROM)


def _value(key: str, text: str) -> Any:
    if text.startswith("@"):
        try:
            return read_file(text[1:])
        except (OSError, ValueError) as error:
            raise ItemError(f"{key}: {error}") from None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _item(name: str, given: Mapping[str, Any], config: Config) -> Item:
    check(name, given, config)
    return {"item_type": "plan", "name": name, "kwargs": _ordered(name, given)}


def _ordered(name: str, given: Mapping[str, Any], *, anew: bool = False) -> dict[str, Any]:
    """Parameters with a name of the order, by which the cycler refuses to execute it twice."""
    import intercalate_plans

    plan = getattr(intercalate_plans, name, None)
    md = given.get("md") or {}
    if (
        plan is None
        or "on_client_lost" not in inspect.signature(plan).parameters
        or not isinstance(md, Mapping)
    ):
        return dict(given)
    if QUEUE_ORDER in md and not anew:
        return dict(given)
    return {**given, "md": {**md, QUEUE_ORDER: uuid.uuid4().hex}}


def check(name: str, given: Mapping[str, Any], config: Config) -> None:
    """Refuse cells, protocols and conditions that the head of the plan would refuse, in the same words.

    What the manager knows, names, types, devices and absolute limits, it checks itself.

    Raises
    ------
    ItemError
        If there are no parameters of these names.
    ProblemsError
        As the plan.
    """
    import intercalate_plans

    plan = getattr(intercalate_plans, name, None)
    if plan is not None:
        known = inspect.signature(plan).parameters
        for one in given:
            if one not in known:
                raise ItemError(f"{name} has no parameter {one!r}; {did_you_mean(one, known)}")
    for task in _tasks(given):
        protocol_and_cell = check_task(task, config.site)
        if "when" in given:
            station = given.get("station", config.instruments[0])
            source = f"{station}.when of {task.label}"
            check_when(When.of(given["when"]), protocol_and_cell[2], source=source)


def _tasks(given: Mapping[str, Any]) -> list[CellTask]:
    """Cells with their protocols in the parameters of a plan."""
    if isinstance(cells := given.get("cells"), list):
        return CellTask.all_of(cells)
    if isinstance(task := given.get("task"), Mapping):
        return CellTask.all_of([dict(task)])
    cell, protocol = given.get("cell"), given.get("protocol")
    if isinstance(cell, dict) and isinstance(protocol, dict):
        return [CellTask.of(cell, protocol, initial_soc=given.get("initial_soc"))]
    return []


def _one_batch(items: list[Item]) -> list[Item]:
    batch = uuid.uuid4().hex
    return [{**item, "meta": {BATCH: batch}} for item in items]


def _cyclers(config: Config) -> list[str]:
    return list(CYCLER_NAMES[: len(config.cycler.channels)])


def _experiment(experiment: Experiment, config: Config) -> Item:
    """The plan that `Session.plan` makes, with devices by their names."""
    losses = {"on_abort": str(experiment.on_abort), "on_client_lost": str(experiment.on_client_lost)}
    devices = {"cyclers": _cyclers(config), "stations": list(config.instruments)}
    if experiment.mode == "ex_situ":
        if config.transfer_vessel is None:
            raise ItemError(
                "the mode ex_situ needs a transfer vessel; add [transfer_vessel] to the configuration"
            )
        assert experiment.transfer is not None
        task, transfer = experiment.cells[0].task(), experiment.transfer.given()
        more = {"vessel": "transfer_vessel", "task": task, "transfer": transfer}
        return _item("ex_situ", {**devices, **more, **losses}, config)
    name = "in_situ" if experiment.mode == "in_situ" else "operando_cells"
    return _item(name, {**devices, "cells": [one.task() for one in experiment.cells], **losses}, config)


def _preflights(one: ExperimentCell, config: Config) -> list[Item]:
    """As `Session.preflights` makes them."""
    items = []
    for name in dict.fromkeys(task.instrument for task in one.measurements) or [
        _station_of(one.place, config)
    ]:
        mine = [task for task in one.measurements if task.instrument == name]
        periods_s = [task.when.period_s for task in mine if task.when.period_s is not None]
        given = {
            "cyclers": _cyclers(config),
            "station": name,
            "place": one.place or _place_of_first_channel(name, config),
            "cell": one.cell.model_dump(mode="json", exclude_none=True),
            "protocol": one.executed.model_dump(mode="json", exclude_none=True),
            "exposure_s": max((task.exposure_s for task in mine), default=None),
            "every_s": min(periods_s, default=None),
            "initial_soc": one.initial_soc,
        }
        items.append(_item("preflight", given, config))
    return items


def _station_of(place: str | None, config: Config) -> str:
    found = (name for name in config.instruments if place in config.changer_of(name).places)
    return next(found, config.instruments[0])


def _place_of_first_channel(instrument: str, config: Config) -> str:
    channel = config.cycler.channels[0]
    for name, place in config.changer_of(instrument).places.items():
        if place.channel == channel:
            return name
    raise ItemError(f"no place on the changer of {instrument} has channel {channel}; give the cell its place")


def _pressing(checked: CheckedScan, config: Config) -> Item:
    scan = checked.scan
    given = {
        "station": "xrd",
        "sample": checked.sample.model_dump(mode="json", exclude_none=True),
        "pressures_gpa": list(scan.pressures_gpa),
        "exposure_s": scan.exposure_s,
        "settle_s": scan.settle_s,
        "beam_mm": scan.beam_mm,
        "rate_gpa_min": scan.rate_gpa_min,
        "at": checked.place,
    }
    return _item("pressure_scan", given, config)


def release(client: QueueClient, held: HeldItems, wanted: Sequence[HeldItem], pos: str) -> list[Item]:
    """Queue held items once more, in their order; one that a broken attempt has queued is not doubled.

    Raises
    ------
    QueueError
        If the manager refuses one: then all are still held.
    """
    known = {released_from(item) for item in (*client.items(), client.running(), *client.history())}
    fresh = [released(one.item, one.uid) for one in wanted if one.uid not in known]
    queued = client.add(fresh, pos) if fresh else []
    for one in wanted:
        held.drop(one.uid)
    return queued
