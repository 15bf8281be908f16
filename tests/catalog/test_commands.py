"""What a person does with runs at the terminal: list, find, show, replay, export."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from beamline import free_ports
from catalog.conftest import wait_for
from catalog.stories import T0_UNIX_S, course, told
from intercalate.catalog.client import find_run, frames, open_catalog
from intercalate.catalog.search import find
from intercalate.catalog_services import catalog_services, open_configured_catalog
from intercalate.cli import main
from intercalate.config import EXAMPLES, Config

pytestmark = pytest.mark.service
COUNTS = np.arange(3 * 4 * 5, dtype="<u4").reshape(3, 4, 5)
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A catalog of its own, by the commands, with three runs in its journals."""
    folder = tmp_path_factory.mktemp("commands")
    port = free_ports(1)[0]
    text = (EXAMPLES / "config" / "simulated.toml").read_text().replace("8410", str(port))
    path = folder / "simulated.toml"
    path.write_text(text.replace("intercalate-simulated", f"test-{port}"))
    config = Config.from_file(path)
    patch = pytest.MonkeyPatch()
    patch.setenv("TILED_PROFILES", str(folder / "profiles"))
    experiment = {"experiment_uid": "e" * 32, "sample": "nmc", "simulated": True}
    told(config.journals_folder, records=course([3.0, 3.6, 4.1]), **experiment)
    told(
        config.journals_folder,
        frames={"sem": ("sem_detector", COUNTS)},
        frames_folder=config.stored("frames"),
        began_unix_s=T0_UNIX_S + 100.0,
        sample="lfp",
        simulated=True,
    )
    told(config.journals_folder, sample="lfp", exit_status=None, began_unix_s=T0_UNIX_S + 200.0)
    try:
        answer = CliRunner().invoke(main, ["-c", str(path), "catalog", "up"])
        assert answer.exit_code == 0, answer.output
        catalog = open_configured_catalog(config)
        # The last is lost, which is known when all of it has been forwarded.
        wait_for(lambda: len(find(catalog, status="lost")) == 1, 60.0, "three runs were to be forwarded")
        catalog.context.close()
        yield config
    finally:
        catalog_services(config).stop()
        patch.undo()


@pytest.fixture
def catalog(config: Config) -> Iterator[Any]:
    opened = open_configured_catalog(config)
    yield opened
    opened.context.close()


@pytest.fixture
def command(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, ["-c", str(config.storage.folder.parent / "simulated.toml"), *words])

    return invoke


def test_runs_are_listed_found_and_shown(command: Command) -> None:
    listed = command("runs")
    assert listed.exit_code == 0, listed.output
    assert [line.split()[-2:] for line in listed.output.splitlines()[1:]]
    assert [line.split()[3] for line in listed.output.splitlines()[1:]] == ["lfp", "lfp", "nmc"]
    assert [line.split()[5] for line in listed.output.splitlines()[1:]] == ["lost", "complete", "complete"]
    found = command("runs", "--voltage", "4:4.2", "--status", "complete").output.splitlines()
    assert [line.split()[3] for line in found[1:]] == ["nmc"]
    second = command("runs", "-n", "2", "--page", "2").output
    assert "page 2 of 2, 3 runs" in second
    refused = command("runs", "--sample", "nmd")
    assert refused.exit_code == 1
    assert "no run has the sample 'nmd'; there are nmc" in refused.output
    assert "give a number, or two with a colon" in command("runs", "--voltage", "high").output
    shown = command("show", "--", "-3").output
    assert "status           complete" in shown
    whole = command("show", "--experiment", "--", "-3").output.splitlines()
    assert whole[0] == "nmc: 3 records"
    assert whole[1].split()[2:] == ["told", "complete"]


def test_replay_stands_in_for_the_forwarder_and_gives_back(
    command: Command, config: Config, catalog: Any
) -> None:
    (before,) = [one.pid for one in catalog_services(config).running() if one.name == "forwarder"]
    gone = find_run(catalog, -3).metadata["start"]["uid"]
    catalog.delete_contents(gone, recursive=True, external_only=False)
    first, again = command("replay"), command("replay")
    assert first.exit_code == again.exit_code == 0, first.output + again.output
    assert f"wrote {gone[:8]}" in first.output
    assert again.output.splitlines() == ["3 runs in the journals; the catalog had all of 3"]
    (after,) = [one.pid for one in catalog_services(config).running() if one.name == "forwarder"]
    assert before != after


def test_a_run_is_taken_home_and_opens_there(command: Command, catalog: Any, tmp_path: Path) -> None:
    uid = next(run.metadata["start"]["uid"] for run in catalog.values() if "sem" in run)
    answer = command("export", uid[:8], "--to", "home", "--format", "folder", "--format", "nexus")
    assert answer.exit_code == 0, answer.output
    folder = tmp_path / "home" / f"run-{uid[:8]}-simulated"
    assert folder.with_suffix(".nxs").exists()
    images = frames(find_run(open_catalog(folder), uid[:8]))
    assert (images[:] == COUNTS).all()
    images.close()
    assert json.loads((folder / "manifest.json").read_text())["simulated"] is True
    again = command("export", uid[:8], "--to", "home")
    assert again.exit_code == 1
    assert "exists already; name another folder (--to)" in again.output
    some = command("export", uid[:8], "--to", "stick", "--format", "bdf", "--format", "nexus")
    assert some.exit_code == 1
    assert "has no records of a cycler" in some.output
    # What can be written in another format is there all the same.
    assert (tmp_path / "stick" / f"run-{uid[:8]}-simulated.nxs").exists()
