"""Carries the journals into the catalog: `python -m intercalate.catalog.forwarder --journals F --uri U`.

Live and replay are the same: each pass takes what the journals have gained and writes it, twice a
second. The journal is the truth. Where a run cannot be continued (this process is new, the server was
away, a write failed half-way) its part in the catalog is deleted and written anew from the journal, so
nothing is doubled and nothing is missing. Runs in the catalog that have a stop document are complete and
are left alone.
"""

import argparse
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate.catalog.journal import journals, read_documents, run_uid
from intercalate.catalog.lost_runs import LOST_REASON, is_being_written
from intercalate.catalog.summaries import SUMMARY, RunSummary

if TYPE_CHECKING:
    from intercalate.catalog.writing import RunPipeline

FLUSH_PERIOD_S = 0.5
"""Wall seconds between two passes, and between two writes within a long one."""

MAX_WAITING_ROWS = 20_000
"""Rows written at once at most: bounds memory and the size of a request during replay."""

LONGEST_PAUSE_S = 15.0
"""Wall seconds between two attempts to reach a server that is away."""

LONGEST_RETRY_S = 600.0
"""Wall seconds between two attempts to write a run that the catalog refuses."""

STATE_FILE = "forwarder.json"
LOCK_FILE = "forwarder.lock"

logger = logging.getLogger(__name__)


class CatalogUnreachableError(ConnectionError):
    """The Tiled server does not answer."""


class ForwarderError(RuntimeError):
    """The forwarder cannot work as it was asked to."""


@dataclass
class _Run:
    path: Path
    pipeline: "RunPipeline | None" = None
    offset: int = 0
    failures: int = 0
    retry_at: float = 0.0
    error: str = ""


class Forwarder:
    """Writes the journals of a folder into one catalog.

    Parameters
    ----------
    folder
        Journals, one file per run. The state is kept beside them.
    uri
        Address of the catalog, with its key.
    replay
        Look at every journal again, also those that were written to this catalog before.
    """

    def __init__(self, folder: str | Path, uri: str, *, replay: bool = False):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._uri = uri
        self._catalog = uri.partition("?")[0]
        self._runs: dict[str, _Run] = {}
        state = self._read_state()
        self._done = set[str](() if replay else state.get("done", ()))
        # Sizes of journals that nobody goes on with, and that the catalog has, or had when it was asked last.
        self._lost: dict[str, int] = {} if replay else dict(state.get("lost", {}))
        self._was_lost: dict[str, int] = dict(state.get("lost", {}))
        self._client: Any = None
        self._saved: str = ""
        self.written: dict[str, int] = {}
        """Documents that were written by this forwarder, by run."""
        self.summarised: list[str] = []
        """Runs that were whole in the catalog, and got a summary."""

    def forward_once(self) -> int:
        """Write what the journals have gained; returns the number of documents.

        Raises
        ------
        CatalogUnreachableError
            If the server does not answer; every run under way is rebuilt when it does.
        """
        import httpx

        count = 0
        try:
            for path in journals(self._folder):
                if not self._has_all_of(path):
                    count += self._forward_run(path)
        except httpx.TransportError as error:
            self.close()
            raise CatalogUnreachableError(
                f"the catalog at {self._catalog} does not answer: {error}"
            ) from error
        finally:
            self._write_state()
        return count

    def run_forever(self, stop: threading.Event) -> None:
        """Forward twice a second until `stop` is set."""
        pause = FLUSH_PERIOD_S
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.forward_once()
                pause = FLUSH_PERIOD_S
            except CatalogUnreachableError as error:
                pause = min(2 * pause, LONGEST_PAUSE_S)
                logger.warning("%s; the journals are kept, next attempt in %.0f s", error, pause)
            stop.wait(max(0.0, pause - (time.monotonic() - began)))

    def close(self) -> None:
        """Let go of the server; the next pass connects anew and rebuilds what is under way."""
        for run in self._runs.values():
            run.pipeline = None
        if self._client is not None:
            self._client.context.close()
        self._client = None

    @property
    def errors(self) -> dict[str, str]:
        """Runs that the catalog refused, with the reason."""
        return {uid: run.error for uid, run in self._runs.items() if run.error}

    def _has_all_of(self, path: Path) -> bool:
        """Whether the catalog has everything that a journal will ever hold."""
        uid = run_uid(path)
        return uid in self._done or (uid in self._lost and self._lost[uid] == path.stat().st_size)

    def _forward_run(self, path: Path) -> int:
        import httpx

        uid = run_uid(path)
        run = self._runs.setdefault(uid, _Run(path))
        if time.monotonic() < run.retry_at:
            return 0
        try:
            count = self._take(uid, run)
            if count:
                self.written[uid] = self.written.get(uid, 0) + count
            return count
        except httpx.TransportError:
            raise
        except Exception as error:  # noqa: BLE001 - a run that cannot be written must not hold up the others
            run.pipeline = None
            run.failures += 1
            pause = min(2.0**run.failures, LONGEST_RETRY_S)
            run.retry_at = time.monotonic() + pause
            run.error = f"{type(error).__name__}: {error}"
            logger.error("run %s is not written: %s; next attempt in %.0f s", uid, run.error, pause)
            return 0

    def _take(self, uid: str, run: _Run) -> int:
        if run.pipeline is None and not self._begin(uid, run):
            return 0
        assert run.pipeline is not None
        count, flushed = 0, time.monotonic()
        for name, doc, offset in read_documents(run.path, run.offset):
            run.pipeline(name, doc)
            run.offset = offset
            count += 1
            if name == "stop":
                self._done.add(uid)
                del self._runs[uid]
                return count
            late = time.monotonic() > flushed + FLUSH_PERIOD_S
            if late or run.pipeline.waiting_rows > MAX_WAITING_ROWS:
                run.pipeline.flush()
                flushed = time.monotonic()
        if count:
            run.pipeline.flush()
        else:
            self._look_after(uid, run)
        run.failures, run.error = 0, ""
        return count

    def _begin(self, uid: str, run: _Run) -> bool:
        """Make room for a run; False if the catalog has all of it, or the journal nothing yet."""
        from tiled.client.container import Container

        from intercalate.catalog.writing import RunPipeline

        if next(read_documents(run.path), None) is None:
            return False
        client = self._connect()
        try:
            stored = Container.__getitem__(client, uid)
        except KeyError:
            stored = None
        if stored is not None and stored.metadata.get("stop"):
            if SUMMARY not in stored.metadata:
                self._summarise(uid, run.path, stored)
            self._done.add(uid)
            self._runs.pop(uid, None)
            return False
        if stored is not None and not stored.metadata.get("writer", {}).get("alive", True):
            size = run.path.stat().st_size
            if self._was_lost.get(uid) == size:
                self._lost[uid] = size
                self._runs.pop(uid, None)
                return False
        if stored is not None:
            client.delete_contents(uid, recursive=True, external_only=False)
        run.pipeline, run.offset = RunPipeline(client), 0
        return True

    def _summarise(self, uid: str, path: Path, stored: Any) -> None:
        """Add what a run lacks that was written before there were summaries."""
        from intercalate.catalog.writing import ABANDONED

        summary = RunSummary()
        for name, doc, _ in read_documents(path):
            summary(name, doc)
        more = ABANDONED if stored.metadata["stop"].get("reason") == LOST_REASON else {}
        stored.update_metadata(metadata={SUMMARY: summary.as_metadata(), **more}, drop_revision=True)
        self.summarised.append(uid)

    def _look_after(self, uid: str, run: _Run) -> None:
        """Note once that the session of an unfinished run is gone."""
        if run.pipeline is not None and not is_being_written(run.path):
            run.pipeline.mark_lost()
            # With what may be torn at its end; one that somebody closes later grows.
            self._lost[uid] = run.path.stat().st_size

    def _connect(self) -> Any:
        if self._client is None:
            from tiled.client import from_uri

            self._client = from_uri(self._uri).include_data_sources()
        return self._client

    def _read_state(self) -> dict[str, Any]:
        try:
            state = json.loads((self._folder / STATE_FILE).read_text())
        except (OSError, ValueError):
            return {}
        # Another catalog has none of these runs.
        return state if state.get("catalog") == self._catalog else {}

    def _write_state(self) -> None:
        under_way = {
            uid: {"bytes": run.offset, "error": run.error} for uid, run in sorted(self._runs.items())
        }
        state = {
            "catalog": self._catalog,
            "done": sorted(self._done),
            "lost": self._lost,
            "under_way": under_way,
        }
        text = json.dumps(state, indent=1)
        if text == self._saved:
            return
        draft = self._folder / f"{STATE_FILE}.new"
        draft.write_text(text)
        draft.replace(self._folder / STATE_FILE)
        self._saved = text


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two forwarders would delete each other's runs."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ForwarderError(f"another forwarder works on {folder}; end that one first") from None
    try:
        yield
    finally:
        os.close(descriptor)


def forward_journals(folder: str | Path, uri: str, *, replay: bool = False) -> int:
    """Write everything that the journals hold now into a catalog; returns the number of documents.

    Raises
    ------
    CatalogUnreachableError
        If the server does not answer.
    ForwarderError
        If a run was refused, or another forwarder works on the folder.
    """
    done = replay_journals(folder, uri, replay=replay)
    if done.refused:
        reasons = "; ".join(f"{uid}: {why}" for uid, why in done.refused.items())
        raise ForwarderError(f"the catalog refused {len(done.refused)} runs: {reasons}")
    return sum(done.written.values())


@dataclass(frozen=True)
class Replayed:
    """What became of the journals.

    Attributes
    ----------
    runs
        Number of journals.
    written
        Documents by run, of those that the catalog lacked or had a part of.
    summarised
        Runs that the catalog had, and that can be found by voltage, cycle and technique now.
    refused
        Why a run could not be written, by run.
    """

    runs: int
    written: dict[str, int]
    summarised: tuple[str, ...]
    refused: dict[str, str]

    def lines(self) -> list[str]:
        """For people."""
        there = self.runs - len(self.written.keys() | self.refused.keys())
        found = [f"{self.runs} runs in the journals; the catalog had all of {there}"]
        found += [f"wrote {uid[:8]}: {count} documents" for uid, count in self.written.items()]
        if self.summarised:
            found.append(f"added what {len(self.summarised)} of them are found by")
        return found + [f"refused {uid[:8]}: {why}" for uid, why in self.refused.items()]


def replay_journals(folder: str | Path, uri: str, *, replay: bool = True) -> Replayed:
    """Compare all journals with a catalog, and write what it lacks. Once it has all, nothing is done.

    Parameters
    ----------
    replay
        See `Forwarder`.

    Raises
    ------
    CatalogUnreachableError
        If the server does not answer.
    ForwarderError
        If another forwarder works on the folder.
    """
    with _only_one(Path(folder)):
        forwarder = Forwarder(folder, uri, replay=replay)
        with contextlib.closing(forwarder):
            # The second pass tells runs under way from those whose session is gone.
            for _ in range(2):
                forwarder.forward_once()
            runs = len(journals(folder))
    return Replayed(runs, forwarder.written, tuple(forwarder.summarised), forwarder.errors)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the forwarder."""
    parser = argparse.ArgumentParser(prog="intercalate.catalog.forwarder", description=__doc__)
    parser.add_argument("--journals", type=Path, required=True, help="folder of journals")
    parser.add_argument("--uri", required=True, help="address of the catalog, with its key")
    parser.add_argument("--once", action="store_true", help="write what is there and end")
    parser.add_argument("--replay", action="store_true", help="look at finished runs again too")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # A server that is away is noticed at once: the journal waits, this process need not.
    os.environ.update(TILED_RETRY_ATTEMPTS="1", TILED_RETRY_TIMEOUT="5")
    try:
        if given.once:
            forward_journals(given.journals, given.uri, replay=given.replay)
            return 0
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with (
            _only_one(given.journals),
            contextlib.closing(Forwarder(given.journals, given.uri, replay=given.replay)) as forwarder,
        ):
            forwarder.run_forever(stop)
    except (ForwarderError, CatalogUnreachableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
