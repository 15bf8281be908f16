"""Asks the RE Manager, and says what it answers."""

import getpass
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from intercalate.config import Config
from intercalate.problems import did_you_mean
from intercalate.queue.keys import public_key, public_key_file

ANSWER_S = 5.0
ENDING_S = 120.0
_PAUSE = threading.Event()
GROUP = "primary"
"""Of users who may run every plan; see `user_group_permissions.yaml`."""


class QueueError(RuntimeError):
    """The manager refused, or does not answer; the message says what and what to do."""


class NoAnswerError(QueueError):
    """The manager does not answer."""


class QueueClient:
    """A client of the RE Manager on this machine.

    Parameters
    ----------
    group
        Of users, by which the manager decides which plans may be queued.
    answer_s
        Wall seconds that an answer may take.
    """

    def __init__(self, config: Config, group: str = GROUP, answer_s: float = ANSWER_S):
        import zmq

        self.address = f"tcp://127.0.0.1:{config.queue.control_port}"
        self._group = group
        self._key_file = public_key_file(config)
        self._key = public_key(config).encode()
        self._answer_ms = int(1000 * answer_s)
        self._context = zmq.Context()
        self._socket = self._opened()

    def _opened(self) -> Any:
        """A socket on which everything is encrypted; a new one after an answer that did not come."""
        import zmq

        socket = self._context.socket(zmq.REQ)
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = self._key
        socket.connect(self.address)
        return socket

    def __enter__(self) -> "QueueClient":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._context.term()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Answer to a request.

        Raises
        ------
        NoAnswerError
            If there is none.
        QueueError
            If the request is refused, with the manager's words.
        """
        return _granted(self._answer(method, parameters))

    def as_user(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Answer to a request that the manager takes from a user only; raises as `ask`."""
        return _granted(self._as_user(method, **parameters))

    def _as_user(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._answer(method, {**parameters, "user": getpass.getuser(), "user_group": self._group})

    def _answer(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._socket.send_json({"method": method, "params": dict(parameters)})
        if not self._socket.poll(self._answer_ms):
            self._socket.close()
            self._socket = self._opened()
            raise NoAnswerError(
                f"no RE Manager answers at {self.address}; does it run (`intercalate queue status`), and is "
                f"the key in {self._key_file} its own?"
            )
        return self._socket.recv_json()

    def status(self) -> dict[str, Any]:
        """State of manager, environment and queue; raises as `ask`."""
        return self.ask("status")

    def items(self) -> list[dict[str, Any]]:
        """The queue, from its front; raises as `ask`."""
        return self.ask("queue_get")["items"]

    def running(self) -> dict[str, Any]:
        """The item that runs; empty where there is none; raises as `ask`."""
        return self.ask("queue_get")["running_item"]

    def history(self) -> list[dict[str, Any]]:
        """What has been done, oldest first; raises as `ask`."""
        return self.ask("history_get")["items"]

    def add(self, items: Sequence[Mapping[str, Any]], pos: str = "back") -> list[dict[str, Any]]:
        """Queue items, all or none; returns them with their uids; raises as `ask`, for each that is wrong."""
        answer = self._as_user("queue_item_add_batch", items=list(items), pos=pos)
        if not answer["success"]:
            results = zip(items, answer.get("results", []))
            said = [
                f"{one['name']}: {_short(result['msg'])}{self._advice(one['name'])}"
                for one, result in results
                if not result["success"]
            ]
            raise QueueError("\n".join(said) or _short(answer["msg"]))
        return answer["items"]

    def _advice(self, name: str) -> str:
        """What to say of a plan that the group may not queue; nothing of one that it may."""
        allowed = self.ask("plans_allowed", user_group=self._group)["plans_allowed"]
        if name in allowed:
            return ""
        return f" {did_you_mean(name, allowed)}" if allowed else f" The group {self._group!r} may queue none."

    def find(self, beginning: str) -> dict[str, Any]:
        """The item of the queue whose uid begins so; raises QueueError where there is not one."""
        items = self.items()
        found = [one for one in items if one["item_uid"].startswith(beginning)]
        if len(found) != 1:
            there = ", ".join(one["item_uid"][:8] for one in items) or "nothing"
            raise QueueError(f"{len(found)} items begin with {beginning!r}; in the queue are: {there}")
        return found[0]

    def wait(self, ready: Callable[[dict[str, Any]], bool], timeout_s: float, what: str) -> dict[str, Any]:
        """Status for which `ready` is true; raises QueueError where it does not come."""
        deadline = time.monotonic() + timeout_s
        while not ready(status := self.status()):
            if time.monotonic() > deadline:
                raise QueueError(
                    f"not within {timeout_s:g} s: {what}; the manager is {status['manager_state']}"
                )
            _PAUSE.wait(0.1)
        return status


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("success") is False:
        raise QueueError(_short(str(answer.get("msg") or "refused without a reason")))
    return answer


def _short(message: str) -> str:
    """Without the whole item, which follows in the manager's messages, and addresses for programmers."""
    said = message.partition("\nPlan: {")[0].removeprefix("Failed to add a plan: ").strip()
    return "\n".join(line for line in said.splitlines() if "errors.pydantic.dev" not in line)


def end_plan(client: QueueClient) -> None:
    """End the plan that runs, or is paused, in good order: its finalizers are executed.

    Raises
    ------
    QueueError
        If none runs, or it does not end.
    """
    if client.status()["manager_state"] != "paused":
        client.ask("re_pause", option="immediate")
        status = client.wait(
            lambda status: status["manager_state"] in ("paused", "idle"), ENDING_S, "the plan pauses"
        )
        if status["manager_state"] == "idle":
            return
    client.ask("re_abort")
    client.wait(lambda status: status["manager_state"] == "idle", ENDING_S, "the plan ends")


def open_environment(client: QueueClient, timeout_s: float = 120.0) -> None:
    """Open the worker's environment and wait until it takes plans.

    Raises
    ------
    QueueError
        If it does not open.
    """
    client.ask("environment_open")
    status = client.wait(
        lambda status: status["manager_state"] != "creating_environment", timeout_s, "the environment opens"
    )
    if not status["worker_environment_exists"]:
        raise QueueError(
            "the environment did not open; the end of the manager's log says why: `intercalate queue status` "
            "names it, `intercalate doctor` says which instruments answer"
        )
