"""What the supervisor does about what it sees, with a manager that answers as told."""

from pathlib import Path
from typing import Any

import pytest

from intercalate.config import EXAMPLES, Config
from intercalate.queue import supervisor as module
from intercalate.queue.client import QueueError
from intercalate.queue.held import HeldItems
from intercalate.queue.items import BATCH
from intercalate.queue.supervisor import Supervisor

IDLE = {
    "worker_environment_exists": True,
    "manager_state": "idle",
    "re_state": "idle",
    "running_item_uid": None,
}
FAILED = {"exit_status": "failed", "msg": "no beam", "run_uids": ["run"]}


class Manager:
    """Answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = dict(IDLE)
        self.queue: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refuses: set[str] = set()

    def status(self) -> dict[str, Any]:
        return self.state

    def items(self) -> list[dict[str, Any]]:
        return list(self.queue)

    def history(self) -> list[dict[str, Any]]:
        return list(self.done)

    def wait(self, ready: Any, timeout_s: float, what: str) -> dict[str, Any]:
        assert ready(self.state)
        return self.state

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.asked.append(method)
        if method in self.refuses:
            raise QueueError("refused")
        if method == "queue_item_remove":
            self.queue = [one for one in self.queue if one["item_uid"] != parameters["uid"]]
        if method == "environment_destroy":
            self.state = {**IDLE, "worker_environment_exists": False}
        return {}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_file(EXAMPLES / "config" / "simulated.toml", folder=tmp_path)


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "process_of", lambda config, role: object())


def watching(config: Config, manager: Manager) -> Supervisor:
    found = Supervisor(config)
    found._client = manager  # type: ignore[assignment]
    return found


def item(uid: str, name: str = "operando", **more: Any) -> dict[str, Any]:
    return {"item_uid": uid, "name": name, "item_type": "plan", **more}


@pytest.mark.usefixtures("alive")
def test_what_failed_is_held_with_all_that_belongs_to_it(config: Config, manager: Manager) -> None:
    manager.queue = [
        item("1", "preflight", meta={BATCH: "a"}, result=FAILED),
        item("2", meta={BATCH: "a"}),
        item("3", meta={BATCH: "b"}),
        item("4", meta=[{"x": 1}]),
    ]
    watching(config, manager).look()
    held = HeldItems(config).read()
    assert [(one.uid, one.why) for one in held] == [
        ("1", "failed: no beam"),
        ("2", "belongs to preflight, which is held"),
    ]
    assert "result" not in held[0].item
    assert [one["item_uid"] for one in manager.queue] == ["3", "4"]


@pytest.mark.usefixtures("alive")
def test_one_that_died_between_keeping_and_removing_finishes_it(config: Config, manager: Manager) -> None:
    manager.queue = [item("1", result=FAILED)]
    manager.refuses = {"queue_item_remove"}
    watching(config, manager).look()
    assert [one.uid for one in HeldItems(config).read()] == ["1"]
    manager.refuses = set()
    watching(config, manager).look()
    assert [one.uid for one in HeldItems(config).read()] == ["1"]
    assert manager.queue == []


@pytest.mark.usefixtures("alive")
def test_what_may_be_repeated_stays(config: Config, manager: Manager) -> None:
    queue = config.queue.model_copy(update={"repeat_failed": ("take_darks",)})
    manager.queue = [item("1", "take_darks", result=FAILED), item("2", result=FAILED)]
    watching(config.model_copy(update={"queue": queue}), manager).look()
    assert [one["item_uid"] for one in manager.queue] == ["1"]


@pytest.mark.usefixtures("alive")
def test_an_end_that_nobody_saw_is_held_once(config: Config, manager: Manager) -> None:
    manager.done = [
        item("1", result={"exit_status": "unknown"}),
        item("2", result={"exit_status": "stopped"}),
    ]
    watching(config, manager).look()
    (one,) = HeldItems(config).read()
    assert one.uid == "1"
    HeldItems(config).drop("1")
    watching(config, manager).look()
    assert HeldItems(config).read() == []


def test_a_dead_worker_is_replaced(config: Config, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "process_of", lambda config, role: None)
    found = watching(config, manager)
    found.look()
    found.look()
    found.look()
    assert manager.asked == ["environment_destroy", "environment_open"]


@pytest.mark.usefixtures("alive")
def test_an_environment_that_a_person_closed_stays_closed(config: Config, manager: Manager) -> None:
    found = watching(config, manager)
    found.look()
    manager.state = {**IDLE, "worker_environment_exists": False}
    found.look()
    assert manager.asked == []


def test_a_manager_that_lost_a_report_is_started_again(
    config: Config, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Process:
        killed = 0

        def kill(self) -> None:
            Process.killed += 1

    monkeypatch.setattr(module, "process_of", lambda config, role: Process())
    monkeypatch.setattr(module, "LOST_REPORT_S", 0.0)
    found = watching(config, manager)
    executing = {**IDLE, "manager_state": "executing_queue"}
    for uid in ("1", "2", "3"):
        # Short plans, one after the other.
        manager.state = {**executing, "running_item_uid": uid}
        found.look()
    assert Process.killed == 0
    found.look()
    assert Process.killed == 1
    manager.state = {**executing, "running_item_uid": "4", "re_state": "running"}
    found.look()
    found.look()
    assert Process.killed == 1


def test_a_manager_that_does_not_answer_stops_no_supervisor(config: Config) -> None:
    found = Supervisor(config)
    found.look()
