"""Workers, managers and Redis are killed: nothing of queue and history is lost, and no charge is repeated.

What passed through the cell is told by the world's own counter, which neither the queue nor a plan can see.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from beamline import Beamline
from benchmarks.faults import evidence
from intercalate.cli import main
from intercalate.queue.items import experiment_items
from intercalate.queue.serving import SUPERVISOR, queue_services
from intercalate.queue.supervisor import reason
from polling import wait_for
from queue_use import DEADLINE_S, FRAMES, Queue

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(180)]

NOTICED_S = 5.0
"""Wall seconds within which a dead worker is noticed; a look is made twice a second."""
LONG_S = 20_000.0
"""A charge that does not end by itself while a test looks at it."""


class Account:
    """Programs and charge since the beginning of a test."""

    def __init__(self, queue: Queue):
        self._queue = queue
        self._programs = set(queue.programs())
        self._charge_ah = queue.charge_ah()

    def programs(self) -> list[dict[str, Any]]:
        """Those that were started."""
        started = evidence.starts(self._queue.config)
        return [
            one
            for uid, one in self._queue.programs().items()
            if uid not in self._programs and started[uid] > 0
        ]

    def wait_for_program(self) -> dict[str, Any]:
        return self._queue.wait_for_new_program(self._programs)

    def wait_until(self, status: str) -> None:
        wait_for(
            lambda: [one["status"] for one in self.programs()] == [status],
            DEADLINE_S,
            f"one program is {status}",
        )

    def assert_charged_once(self) -> None:
        """One program was started, once, and all the charge that passed is its own."""
        (program,) = self.programs()
        assert evidence.starts(self._queue.config)[program["program_id"]] == 1
        passed_ah = self._queue.charge_ah() - self._charge_ah
        assert passed_ah > 0
        assert passed_ah == pytest.approx(program["charge_ah"], rel=1e-3)


@pytest.fixture
def account(queue: Queue, beamline: Beamline) -> Iterator[Account]:
    """Afterwards the cycler takes programs again, and nothing waits."""
    queue.wait_until_open()
    yield Account(queue)
    queue.up() if not _supervised(queue) else None
    for held in queue.held.read():
        queue("discard", held.uid)
    queue.ask("queue_clear")
    wait_for(lambda: _acknowledged(beamline), DEADLINE_S, "the cycler takes programs")


def _supervised(queue: Queue) -> bool:
    return any(one.name == SUPERVISOR for one in queue_services(queue.config).running())


def _acknowledged(beamline: Beamline) -> bool:
    answer = CliRunner().invoke(main, ["-c", str(beamline.config_file), "acknowledge"])
    return answer.exit_code == 0


def test_a_killed_worker_is_noticed_and_its_plan_is_held(queue: Queue, account: Account) -> None:
    queue("add", str(queue.experiment(LONG_S, on_client_lost="rest")))
    queue("add", *FRAMES)
    queue("start")
    account.wait_for_program()
    killed = time.monotonic()
    queue.kill("worker")
    (held,) = queue.wait_for_held()
    assert time.monotonic() - killed < NOTICED_S
    assert "environment was destroyed" in held.why
    assert queue.waiting() == ["count_frames"]
    queue.wait_until_open()
    assert queue.status()["manager_state"] == "idle"
    account.wait_until("interrupted")

    # The rest of the queue goes on when somebody starts it.
    queue("start")
    wait_for(lambda: queue.last()["name"] == "count_frames", DEADLINE_S, "the next plan has run")
    assert queue.last()["result"]["exit_status"] == "completed"

    # Whoever releases the charge meets the latch of the cycler.
    queue("release", held.uid[:8])
    assert queue.held.read() == []
    queue("start")
    (again,) = queue.wait_for_held()
    assert "acknowledge that id first" in again.why
    account.assert_charged_once()


@pytest.mark.parametrize("on_client_lost", ["rest", "continue"])
def test_without_a_supervisor_the_cycler_refuses_to_repeat(
    queue: Queue, account: Account, on_client_lost: str
) -> None:
    """By the latch of an interrupted program, and by the order where it went on to its end."""
    charge_s = {"rest": LONG_S, "continue": 3000.0}[on_client_lost]
    items = experiment_items(queue.experiment(charge_s, on_client_lost=on_client_lost), queue.config)
    if on_client_lost == "rest":
        # As somebody queues it who knows of no orders.
        del items[0]["kwargs"]["md"]
    with queue.client() as client:
        client.add(items)
    queue("start")
    account.wait_for_program()
    queue.kill(SUPERVISOR)
    queue.kill("worker")
    account.wait_until({"rest": "interrupted", "continue": "complete"}[on_client_lost])
    assert "nobody supervises" in queue("status")
    assert "nobody supervises" in queue.refused("start")

    # Somebody repairs the queue by hand and starts it: the plan is at its front.
    queue.ask("environment_destroy")
    queue.wait_until_idle()
    assert queue.waiting() == ["operando_cells"]
    queue("open")
    queue.ask("queue_start")
    why = {"rest": "acknowledge that id first", "continue": "is not repeated"}[on_client_lost]
    wait_for(lambda: why in reason(queue.last()["result"]), DEADLINE_S, "the plan is refused")
    account.assert_charged_once()

    # A supervisor that comes back holds what it finds.
    queue("up")
    (held,) = queue.wait_for_held()
    assert why in held.why
    assert queue.waiting() == []


def test_killed_managers_and_a_killed_redis_cost_nothing_of_queue_and_history(
    queue: Queue, account: Account
) -> None:
    with queue.client() as client:
        history = [item["item_uid"] for item in client.history()]
    queue("add", str(queue.experiment(9000.0, on_client_lost="rest")))
    for _ in range(3):
        queue("add", *FRAMES)
    queue("start")
    account.wait_for_program()

    queue.kill("redis")
    wait_for(lambda: queue.service("redis").process, DEADLINE_S, "Redis is there again")
    queue.kill("RE Manager")
    wait_for(lambda: _answers(queue), DEADLINE_S, "the manager answers again", every_s=0.2)
    assert queue.waiting()[-3:] == ["count_frames"] * 3
    wait_for(
        lambda: queue.waiting() == [] and not queue.held.read(), DEADLINE_S, "all of it has run", every_s=0.5
    )
    queue.wait_until_idle()
    with queue.client() as client:
        items = client.history()
    assert [item["item_uid"] for item in items[: len(history)]] == history
    assert [item["name"] for item in items[len(history) :]] == ["operando_cells", *["count_frames"] * 3]
    assert {item["result"]["exit_status"] for item in items[len(history) :]} == {"completed"}
    account.wait_until("complete")
    account.assert_charged_once()


def _answers(queue: Queue) -> bool:
    try:
        queue.status()
    except RuntimeError:
        return False
    return True


def test_a_manager_that_is_killed_with_its_watchdog_leaves_no_orphan_and_its_plan_is_held(
    queue: Queue, account: Account
) -> None:
    queue("add", str(queue.experiment(LONG_S, on_client_lost="rest")))
    queue("add", *FRAMES)
    queue("start")
    account.wait_for_program()
    manager = queue.service("manager")
    queue.kill("manager")
    (held,) = queue.wait_for_held()
    assert held.why.startswith("unknown")
    assert manager.others == []
    assert queue.service("manager").pid != manager.pid
    queue.wait_until_open()
    assert queue.waiting() == ["count_frames"]
    account.wait_until("interrupted")
    account.assert_charged_once()
