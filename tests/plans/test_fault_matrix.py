"""A selection of the fault matrix, always the same, and whether the matrix could tell a loss."""

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from beamline import Beamline
from benchmarks.faults.accounts import Charge, charge_of, unobserved
from benchmarks.faults.ending import ENDING, STARTED_AGAIN
from benchmarks.faults.evidence import Documents
from benchmarks.faults.matrix import draw, perform, rows_that_differ
from benchmarks.faults.passing import PASSING
from benchmarks.faults.scene import Scene, observed, on_stage, with_short_lease
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS

pytestmark = pytest.mark.long
SEED = 11
SELECTED = (
    "pause and resume",
    "suspend and resume",
    "second client commands",
    "the same program started again",
    "diffractometer silent for 12 s",
    "abort",
    "halt",
    "Ctrl-C twice",
    "cycler server killed",
    "contact lost",
)


@pytest.fixture(scope="module")
def beamline(beamline: Beamline) -> Beamline:
    """With a short lease."""
    beamline.config_file.write_text(with_short_lease(beamline.config_file.read_text()))
    return Beamline(beamline.folder, Config.from_file(beamline.config_file))


@pytest.fixture
def scene(beamline: Beamline) -> Iterator[Scene]:
    with on_stage(beamline.config, SEED) as scene:
        yield scene


@pytest.mark.service
@pytest.mark.timeout(300)
def test_nothing_is_lost_and_the_cell_is_where_it_was_to_be(scene: Scene) -> None:
    passing, ending = (
        [replace(kind, count=1) for kind in kinds if kind.name in SELECTED] for kinds in (PASSING, ENDING)
    )
    episodes = draw(random.Random(SEED), passing, ending, started_again=1)
    with observed(scene.config) as end_observing:
        outcomes = perform(scene, episodes)
        assert not unobserved(scene.config, end_observing())
    assert len(outcomes) == len(SELECTED) + 1
    assert not [f"{one.kind.name}: {words}" for one in outcomes for words in one.broken]
    assert sum(one.records_lost + one.documents_lost for one in outcomes) == 0
    charge = charge_of(scene.config)
    assert not charge.broken()
    assert charge.programs == len(ending) + 1
    assert charge.throughput_ah > 0


def test_the_whole_matrix_is_a_hundred_faults_and_the_same_for_a_seed() -> None:
    episodes = draw(random.Random(SEED))
    assert episodes == draw(random.Random(SEED))
    assert episodes != draw(random.Random(SEED + 1))
    drawn = [kind for one in episodes for kind in (*one.passing, one.ending)]
    for kind in (*PASSING, *ENDING):
        assert drawn.count(kind) == kind.count > 0
    assert len(drawn) + sum(one.starts_again for one in episodes) >= 100
    assert sum(one.starts_again for one in episodes) == STARTED_AGAIN.count
    assert not any(one.completes and (one.passing or one.starts_again) for one in episodes)


def test_a_lost_a_doubled_and_a_changed_record_are_counted() -> None:
    wanted = np.arange(40.0).reshape(10, 4)
    wanted[3, 2] = np.nan
    assert rows_that_differ(wanted.copy(), wanted) == 0
    changed = wanted.copy()
    changed[5, 1] += 1e-12
    assert rows_that_differ(changed, wanted) == 1
    assert rows_that_differ(np.delete(wanted, 4, axis=0), wanted) == 5
    assert rows_that_differ(np.insert(wanted, 4, wanted[4], axis=0), wanted) == 6


@pytest.mark.parametrize(
    ("numbers", "missing"), [((1, 2, 3), 0), ((1, 3), 1), ((1, 2, 2, 3), 1), ((2, 3), 1)]
)
def test_missing_and_doubled_events_are_counted(numbers: tuple[int, ...], missing: int) -> None:
    documents = Documents([("descriptor", {"uid": "d", "name": "xrd"})])
    for number in numbers:
        documents("event", {"descriptor": "d", "seq_num": number})
    assert documents.missing() == missing


def test_charge_that_is_in_no_account_and_a_second_start_are_told() -> None:
    good = Charge(1.0, 1.0, 3.0, 5, (), (), 0.0)
    assert not good.broken()
    assert "in no account" in replace(good, cell_ah=1.0001).broken()[0]
    assert "more than once" in replace(good, repeated=("a",)).broken()[0]
    assert "has not ended" in replace(good, open_accounts=("a",)).broken()[0]
    assert "left alone" in replace(good, other_cell_ah=1e-9).broken()[0]


def test_a_run_without_records_has_none() -> None:
    assert Documents().records().shape == (0, len(RECORD_COLUMNS))
