"""Commands as they come over the wire: JSON in, JSON out, never an exception."""

import json
from typing import Any

from intercalate.contract import OnLoss, Verb
from intercalate.cycler_server.executor import ChannelExecutor, CommandRefused
from intercalate.cycler_server.lease import Lease
from intercalate.protocol import BoundProgram


class CommandDesk:
    """Takes the commands of all clients of one channel, in the order of their arrival."""

    def __init__(self, executor: ChannelExecutor, lease: Lease):
        self.executor = executor
        self.lease = lease

    def answer(self, text: str) -> dict[str, Any]:
        """Obey a command, or say why not.

        Parameters
        ----------
        text
            JSON object with `request_id`, `verb`, `owner` and what the verb needs: `program_id`,
            `program` (a bound program), `on_client_lost`, `duration_s`, `why`.

        Returns
        -------
        dict
            `request_id`, `ok`, `result`, `message`.
        """
        request_id = None
        try:
            command = json.loads(text)
            request_id = command.get("request_id")
            verb = Verb(command["verb"])
            result = self._obey(verb, str(command.get("owner", "")), command)
        except KeyError as error:
            return self._refusal(request_id, f"the command lacks {error}")
        except (ValueError, OSError, AttributeError, TypeError) as error:
            return self._refusal(request_id, str(error))
        return {"request_id": request_id, "ok": True, "result": result, "message": ""}

    @staticmethod
    def _refusal(request_id: Any, message: str) -> dict[str, Any]:
        return {"request_id": request_id, "ok": False, "result": None, "message": message}

    def _obey(self, verb: Verb, owner: str, command: dict[str, Any]) -> str | None:
        executor, lease = self.executor, self.lease
        match verb:
            case Verb.TAKE_LEASE:
                lease.take(owner, float(command["duration_s"]))
            case Verb.RENEW_LEASE:
                lease.renew(owner)
            case Verb.DROP_LEASE:
                self._drop(owner)
            case Verb.STOP:
                # Anybody may make a cell safe.
                executor.stop(command.get("why") or f"stopped by {owner or 'an unnamed client'}")
            case Verb.LOAD:
                lease.require(owner)
                return executor.load(
                    command["program_id"],
                    BoundProgram.from_json(command["program"]),
                    OnLoss(command["on_client_lost"]),
                )
            case Verb.START:
                lease.require(owner)
                return executor.start(command["program_id"])
            case Verb.ACKNOWLEDGE:
                lease.require(owner)
                executor.acknowledge(command["program_id"])
            case Verb.HOLD | Verb.RESUME | Verb.RELEASE | Verb.CLEAR_FAULT:
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
