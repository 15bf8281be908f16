"""A day with the queue: plans are queued, watched, paused and stopped, by command and in Python."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky_queueserver_api import BFunc, BPlan
from bluesky_queueserver_api.zmq import REManagerAPI

from intercalate.catalog.journal import journals
from intercalate.config import EXAMPLES, STARTUP_FOLDER
from intercalate.experiment import Experiment
from intercalate.protocol import ProtocolError
from intercalate.queue.client import NoAnswerError, QueueClient, QueueError
from intercalate.queue.keys import public_key, public_key_file
from intercalate.queue.lists import read_lists
from intercalate.queue.manager import LISTS
from intercalate.queue.watching import lines
from polling import wait_for
from queue_use import DEADLINE_S, FRAMES, Queue

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(180)]


@pytest.fixture
def api(queue: Queue) -> Iterator[REManagerAPI]:
    """As `bluesky-queueserver-api` documents it."""
    found = REManagerAPI(
        zmq_control_addr=f"tcp://127.0.0.1:{queue.config.queue.control_port}",
        zmq_info_addr=f"tcp://127.0.0.1:{queue.config.queue.info_port}",
        zmq_public_key=public_key(queue.config),
    )
    yield found
    found.close()


def test_an_experiment_file_is_queued_run_and_watched(queue: Queue) -> None:
    before = set(journals(queue.config.journals_folder))
    programs = set(queue.programs())
    path = queue.experiment(600.0, on_client_lost="rest")
    assert "operando_cells" in queue("add", str(path))
    queue("add", *FRAMES)
    assert queue.waiting() == ["operando_cells", "count_frames"]
    queue("start")
    said = queue("watch", "--until-idle")
    assert "executing_queue" in said
    *others, last = said.splitlines()
    assert "[idle" in last
    # What happens in the runs stands between what the manager says.
    cell = "nmc811-graphite-operando"
    (begun,) = (number for number, line in enumerate(others) if line.startswith(f"{cell}: operando_cells"))
    ended = others.index(f"{cell}: success")
    assert any(line.startswith(f"{cell} xrd") for line in others[begun:ended])
    assert "count_frames: success" in others[ended:]
    assert queue.waiting() == []
    assert queue.last()["result"]["exit_status"] == "completed"
    assert queue("history").count("completed") == 2
    assert len(set(journals(queue.config.journals_folder)) - before) == 2
    (program,) = (one for uid, one in queue.programs().items() if uid not in programs)
    assert program["status"] == "complete"


def test_what_the_head_of_a_plan_refuses_is_refused_before_it_is_queued(queue: Queue) -> None:
    path = queue.experiment(601.0, on_client_lost="rest")
    steps = json.loads((path.parent / "protocol.json").read_text())
    steps["method"][0].pop("rate_C")
    steps["method"][0]["current_mA"] = 1e4
    (path.parent / "protocol.json").write_text(json.dumps(steps))
    with pytest.raises(ProtocolError) as refused:
        Experiment.from_file(path, queue.config.site)
    said = queue.refused("add", str(path))
    assert str(refused.value.problems[0]) in said
    assert queue.waiting() == []

    cell = EXAMPLES / "cells" / "nmc811_graphite_operando.toml"
    words = [f"cell=@{cell}", f"protocol=@{path.parent / 'protocol.json'}", "on_abort=rest"]
    said = queue.refused("add", "charge_discharge", "cycler=cycler", *words, "on_client_lost=rest")
    assert str(refused.value.problems[0]) in said

    # Whoever goes round the command is refused by the plan, in the same words.
    content = {"cell": json.loads(_as_json(cell)), "protocol": steps}
    given = {"cycler": "cycler", **content, "on_abort": "rest", "on_client_lost": "rest"}
    with queue.client() as client:
        client.add([{"item_type": "plan", "name": "charge_discharge", "kwargs": given}])
    queue("start")
    (held,) = queue.wait_for_held()
    assert str(refused.value.problems[0]) in held.why
    queue("discard", held.uid[:6])
    assert queue.held.read() == []


def _as_json(cell: Path) -> str:
    from intercalate.cell import Cell

    return Cell.from_file(cell).model_dump_json(exclude_none=True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("count_frames", "detector=xray", "count=1"), "xray"),
        (("count_frames", "detector=diffractometer", "count=-1"), "out of range"),
        (("count_frames", "detector=diffractometer", "count=many"), "many"),
        (("count_frames", "detector=diffractometer", "number=1"), "use one of detector, count"),
        (("count_frams", "detector=diffractometer"), "allowed plans. did you mean count_frames?"),
        (("count_frames", "diffractometer"), "write name=value"),
        (("nowhere.toml",), "nowhere.toml"),
    ],
)
def test_a_wrong_request_is_refused_in_words(queue: Queue, words: tuple[str, ...], why: str) -> None:
    said = queue.refused("add", *words)
    assert why in said
    assert "Traceback" not in said
    assert queue.waiting() == []


def test_an_observer_starts_nothing(queue: Queue) -> None:
    item = {"item_type": "plan", "name": "count_frames", "kwargs": {"detector": "diffractometer", "count": 1}}
    assert "not in the list of allowed plans" in queue.refused("--group", "observer", "add", *FRAMES)
    with queue.client("observer") as observer:
        with pytest.raises(QueueError, match="not in the list of allowed plans"):
            observer.as_user("queue_item_execute", item=item)
        with pytest.raises(QueueError, match="not allowed"):
            observer.as_user("function_execute", item={"item_type": "function", "name": "reload_plans"})
        assert observer.ask("plans_allowed", user_group="observer")["plans_allowed"] == {}
    with queue.client("nobody") as stranger, pytest.raises(QueueError, match="Unknown user group"):
        stranger.as_user("queue_item_add", item=item)
    assert queue.waiting() == []


def test_who_has_no_key_hears_nothing_but_may_watch(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluesky_queueserver import generate_zmq_keys

    monkeypatch.setattr("intercalate.queue.client.public_key", lambda config: generate_zmq_keys()[0])
    with (
        pytest.raises(NoAnswerError, match="is the key in"),
        QueueClient(queue.config, answer_s=1.0) as stranger,
    ):
        stranger.status()
    public_key_file(queue.config).rename(queue.folder / "elsewhere")
    try:
        assert "[idle" in next(lines(queue.config))
    finally:
        (queue.folder / "elsewhere").rename(public_key_file(queue.config))


def test_no_password_and_no_key_is_shown(queue: Queue) -> None:
    folder = public_key_file(queue.config).parent
    names = ("manager.private_key", "manager.public_key", "redis.password")
    secrets = [(folder / name).read_text() for name in names]
    for path in (*folder.glob("*.log"), *folder.glob("*.json")):
        assert not [one for one in secrets if one in path.read_text()], path
    for service in ("redis", "manager", "supervisor"):
        process = queue.service(service).process
        assert process is not None
        assert not [one for one in secrets if one in " ".join(process.cmdline())]


def test_the_listed_devices_are_those_that_the_worker_finds(queue: Queue) -> None:
    shipped = read_lists(EXAMPLES / STARTUP_FOLDER / LISTS)
    with queue.client() as client:
        devices = client.ask("devices_existing")["devices_existing"]
        plans = client.ask("plans_existing")["plans_existing"]
    assert devices == {name: shipped["existing_devices"][name] for name in devices}
    assert plans == shipped["existing_plans"]


def test_python_speaks_to_it(queue: Queue, api: REManagerAPI) -> None:
    api.item_add(BPlan("count_frames", "diffractometer", count=1, exposure_s=20.0))
    api.queue_start()
    api.wait_for_idle(timeout=DEADLINE_S)
    (uid,) = api.history_get()["items"][-1]["result"]["run_uids"]
    assert [path for path in journals(queue.config.journals_folder) if uid in path.name]
    with pytest.raises(REManagerAPI.RequestFailedError, match="not allowed"):
        api.function_execute(BFunc("open"))


def test_the_qserver_command_speaks_to_it(queue: Queue) -> None:
    def qserver(*words: str) -> str:
        exports = queue("environment")
        assert public_key(queue.config) not in exports
        answer = subprocess.run(
            ["sh", "-c", f'{exports}\nexec "{Path(sys.executable).parent}/qserver" "$@"', "qserver", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ),
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    assert "'manager_state': 'idle'" in qserver("status")
    item = {"name": "count_frames", "kwargs": {"detector": "diffractometer", "count": 1}}
    qserver("queue", "add", "plan", json.dumps(item))
    assert queue.waiting() == ["count_frames"]
    with queue.client() as client:
        queue("remove", client.items()[0]["item_uid"][:8])
    assert queue.waiting() == []


MINE = '''
import bluesky.plan_stubs as bps

def mine(seconds: float = 0.1):
    """Wait."""
    yield from bps.sleep(seconds)
'''


def test_a_plan_of_ones_own_is_there_after_a_reload_and_a_broken_file_costs_nothing(queue: Queue) -> None:
    folder = queue.config.plans_folder
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(MINE)
    (folder / "broken.py").write_text("def broken(:\n")
    assert "not in the list" in queue.refused("add", "mine")
    said = queue("reload")
    assert "broken.py" in said
    assert "mine" in said
    queue("add", "mine", "seconds=0.01")
    queue("start")
    wait_for(lambda: queue.last()["name"] == "mine", DEADLINE_S, "the plan has run")
    queue.wait_until_idle()
    assert queue.last()["result"]["exit_status"] == "completed"


def test_a_plan_that_is_stopped_leaves_its_cell_as_its_experiment_says_and_is_held(queue: Queue) -> None:
    known = set(queue.programs())
    queue("add", str(queue.experiment(on_client_lost="continue")))
    queue("start")
    program = queue.wait_for_new_program(known)
    assert "a plan runs" in queue.refused("down") or "operando_cells runs" in queue.refused("down")
    queue("stop", "--now")
    (held,) = queue.wait_for_held()
    assert held.why.startswith("aborted")
    ended: dict[str, Any] = queue.programs()[program["program_id"]]
    assert ended["status"] == "interrupted"
    assert "held" in queue("status")
    queue("discard", held.uid)
