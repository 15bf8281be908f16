"""Commands as they come over the wire: JSON in, JSON out, never an exception."""

import json
from collections import OrderedDict
from typing import Any

from intercalate.contract import OnLoss, Verb
from intercalate.cycler_server.executor import ChannelExecutor, CommandRefused
from intercalate.cycler_server.lease import Lease
from intercalate.protocol import BoundProgram

ANSWERS_KEPT = 256
"""A client whose answer was overtaken by another's sends its command again; it is then told the same."""


class CommandDesk:
    """Takes the commands of all clients of one channel, in the order of their arrival."""

    def __init__(self, executor: ChannelExecutor, lease: Lease):
        self.executor = executor
        self.lease = lease
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def answer(self, text: str) -> dict[str, Any]:
        """Obey a command, or say why not.

        Parameters
        ----------
        text
            JSON object with `request_id`, `verb`, `owner` and what the verb needs: `program_id`,
            `program` (a bound program), `on_client_lost`, `duration_s`, `step_count`, `why`.
            One whose `request_id`
            was answered before is not obeyed again.

        Returns
        -------
        dict
            `request_id`, `ok`, `result`, `message`.
        """
        self.expire()
        try:
            command = json.loads(text)
        except (ValueError, RecursionError) as error:
            return _refusal(None, f"the command is no JSON: {error}")
        if not isinstance(command, dict):
            return _refusal(None, f"the command is {type(command).__name__}, it must be a JSON object")
        request_id = command.get("request_id")
        if not isinstance(request_id, str):
            return _refusal(None, "the command lacks a request_id, which is a text")
        if request_id not in self._answers:
            self._answers[request_id] = self._answer(request_id, command)
            if len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return self._answers[request_id]

    def _answer(self, request_id: str, command: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self._obey(Verb(_text(command, "verb")), str(command.get("owner") or ""), command)
        except (ValueError, OSError, OverflowError) as error:
            return _refusal(request_id, str(error))
        return {"request_id": request_id, "ok": True, "result": result, "message": ""}

    def _obey(self, verb: Verb, owner: str, command: dict[str, Any]) -> str | None:
        executor, lease = self.executor, self.lease
        match verb:
            case Verb.TAKE_LEASE:
                lease.take(owner, _number(command, "duration_s"))
            case Verb.RENEW_LEASE:
                lease.renew(owner)
            case Verb.DROP_LEASE:
                self._drop(owner)
            case Verb.STOP:
                # Anybody may make a cell safe.
                why = str(command.get("why") or f"stopped by {owner or 'an unnamed client'}")
                if "program_id" in command:
                    executor.withdraw(_text(command, "program_id"), why)
                else:
                    executor.stop(why)
            case Verb.LOAD:
                lease.require(owner)
                return executor.load(
                    _text(command, "program_id"),
                    BoundProgram.from_json(_text(command, "program")),
                    OnLoss(_text(command, "on_client_lost")),
                )
            case Verb.START:
                lease.require(owner)
                return executor.start(_text(command, "program_id"))
            case Verb.ACKNOWLEDGE:
                lease.require(owner)
                executor.acknowledge(_text(command, "program_id"))
            case Verb.RELEASE:
                lease.require(owner)
                if "program_id" in command:
                    executor.release(_text(command, "program_id"), int(_number(command, "step_count")))
                else:
                    executor.release()
            case Verb.HOLD | Verb.RESUME | Verb.CLEAR_FAULT:
                lease.require(owner)
                getattr(executor, verb)()
        return None

    def _drop(self, owner: str) -> None:
        run = self.executor.run
        if run is not None and run.on_client_lost is OnLoss.REST and self.lease.owner == owner:
            raise CommandRefused(
                f"program {run.program_id!r} rests when its client is gone; "
                "stop it before the lease is dropped"
            )
        self.lease.drop(owner)

    def expire(self) -> None:
        """Let a lease end whose owner shows no sign of life; call a few times per second."""
        if self.lease.expire() is not None:
            self.executor.client_lost()


def _refusal(request_id: str | None, message: str) -> dict[str, Any]:
    return {"request_id": request_id, "ok": False, "result": None, "message": message}


def _text(command: dict[str, Any], key: str) -> str:
    value = command.get(key)
    if not isinstance(value, str) or not value:
        raise CommandRefused(f"the command's {key} is {value!r}; it must be a text")
    return value


def _number(command: dict[str, Any], key: str) -> float:
    value = command.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CommandRefused(f"the command's {key} is {value!r}; it must be a number")
    return float(value)
