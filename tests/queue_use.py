"""A queue used as people use it, by the command line; and what is left of it in files."""

import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from beamline import QUEUE_CONTROL_PORT, QUEUE_INFO_PORT, QUEUE_REDIS_PORT
from benchmarks.faults import evidence
from benchmarks.faults.experiments import experiment_file, protocol
from intercalate.cli import main
from intercalate.config import EXAMPLES, Config
from intercalate.queue.client import QueueClient
from intercalate.queue.held import HeldItem, HeldItems
from intercalate.queue.manager import process_of
from intercalate.queue.serving import queue_services, start_queue
from intercalate.services import Service
from polling import wait_for

DEADLINE_S = 60.0
"""Wall seconds, on a busy machine."""
FRAMES = ("count_frames", "detector=diffractometer", "count=1", "exposure_s=20")
"""A short plan that moves nothing and charges nothing."""


class Queue:
    """A queue, and what is left of it in files."""

    def __init__(self, folder: Path, config: Config, config_file: Path):
        self.folder, self.config, self.config_file = folder, config, config_file
        self.held = HeldItems(config)

    def up(self) -> None:
        start_queue(self.config, self.config_file)

    def refused(self, *words: str) -> str:
        """What a command says that is refused."""
        answer = self._run(*words)
        assert answer.exit_code == 1, answer.output
        return answer.output

    def __call__(self, *words: str) -> str:
        """What a command says that does what it should."""
        answer = self._run(*words)
        assert answer.exit_code == 0, answer.output
        return answer.output

    def _run(self, *words: str) -> Any:
        return CliRunner().invoke(main, ["-c", str(self.config_file), "queue", *words])

    def client(self, group: str = "primary") -> QueueClient:
        return QueueClient(self.config, group)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        with self.client() as client:
            return client.ask(method, **parameters)

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def waiting(self) -> list[str]:
        """Plans in the queue."""
        with self.client() as client:
            return [item["name"] for item in client.items()]

    def last(self) -> dict[str, Any]:
        """The last item of the history."""
        with self.client() as client:
            return client.history()[-1]

    def wait_until_idle(self) -> None:
        wait_for(lambda: self.status()["manager_state"] == "idle", DEADLINE_S, "no plan runs", every_s=0.2)

    def wait_for_held(self, count: int = 1) -> list[HeldItem]:
        """Items, once so many are held, which are first kept and then taken out of the queue."""

        def are_held() -> list[HeldItem] | None:
            held = self.held.read()
            if len(held) != count:
                return None
            with self.client() as client:
                waiting = {item["item_uid"] for item in client.items()}
            return held if waiting.isdisjoint(one.uid for one in held) else None

        return wait_for(are_held, DEADLINE_S, f"{count} are held")

    def wait_until_open(self) -> None:
        def is_open() -> bool:
            status = self.status()
            return status["worker_environment_exists"] and status["manager_state"] == "idle"

        wait_for(is_open, DEADLINE_S, "the environment is open again", every_s=0.2)

    def service(self, name: str) -> Service:
        return next(one for one in queue_services(self.config).read() if one.name == name)

    def kill(self, what: str) -> None:
        """End a service of the queue, or a process of the manager, without warning."""
        known = {one.name: one.process for one in queue_services(self.config).read()}
        known["worker"], known["RE Manager"] = (process_of(self.config, one) for one in ("worker", "manager"))
        process = known[what]
        assert process is not None, f"{what} does not run"
        process.kill()

    def experiment(self, charge_s: float = 4000.0, *, on_client_lost: str, on_abort: str = "rest") -> Path:
        """File of an experiment that charges for so many cell seconds, long enough to be hit."""
        folder = self.folder / f"experiment_{on_client_lost}_{charge_s:g}"
        folder.mkdir(exist_ok=True)
        return experiment_file(
            folder,
            protocol(charge_s, 60.0),
            on_abort=on_abort,
            on_client_lost=on_client_lost,
            every_s=1000.0,
        )

    # What neither the manager nor a plan can know

    def charge_ah(self) -> float:
        """Charge that has ever passed through the cell, by the world's own counter."""
        return evidence.cell_charge_ah(evidence.world_state(self.config))

    def programs(self) -> dict[str, dict[str, Any]]:
        """The cycler server's ledger."""
        return evidence.ledger(self.config)

    def wait_for_new_program(self, known: set[str], records: int = 20) -> dict[str, Any]:
        """A program that was not there before, once it has some records."""

        def running() -> dict[str, Any] | None:
            fresh = [one for uid, one in self.programs().items() if uid not in known]
            if not fresh or fresh[0]["status"] != "running":
                return None
            rows = evidence.server_records(self.config)
            return fresh[0] if len(rows) - fresh[0]["first_record"] >= records else None

        return wait_for(running, DEADLINE_S, "a program runs", every_s=0.1)


def written(folder: Path, **changes: str) -> Queue:
    """A queue that is configured, and nothing else."""
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    ports = {"15072": QUEUE_CONTROL_PORT, "15073": QUEUE_INFO_PORT, "15074": QUEUE_REDIS_PORT}
    for shipped, own in ports.items():
        text = text.replace(shipped, str(own))
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        assert count == 1, key
    folder.mkdir(exist_ok=True)
    path = folder / "simulated.toml"
    path.write_text(text)
    return Queue(folder, Config.from_file(path), path)
