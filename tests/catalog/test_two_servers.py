"""Two servers on one PostgreSQL database: what is written through one is read through the other."""

from typing import Any

import numpy as np
import pytest

from catalog.conftest import Laboratory, Server
from catalog.test_reading import orphans_and_restages
from intercalate.catalog.client import frames, open_catalog, records

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


def test_runs_of_one_are_those_of_the_other(
    laboratory: Laboratory, catalog: Any, second_server: Server
) -> None:
    uid = laboratory.run(orphans_and_restages(laboratory))
    laboratory.forward()
    other = open_catalog(second_server.uri)
    try:
        mine, theirs = catalog[uid], other[uid]
        assert dict(mine.metadata["start"]) == dict(theirs.metadata["start"])
        assert mine.metadata["stop"]["uid"] == theirs.metadata["stop"]["uid"]
        assert records(mine).equals(records(theirs))
        assert all(np.array_equal(one, two) for one, two in zip(frames(mine), frames(theirs), strict=True))
        # And written through the second, it is read through the first.
        later = laboratory.run(orphans_and_restages(laboratory))
        laboratory.uri = second_server.uri
        laboratory.forward()
        assert records(catalog[later]).equals(records(other[later]))
    finally:
        other.context.close()
