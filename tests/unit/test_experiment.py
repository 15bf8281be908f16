from pathlib import Path

import pytest

from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.experiment import Experiment, ExperimentError
from intercalate.protocol import ProtocolError, SiteLimits

FIRST_LIGHT = EXAMPLES / "experiments" / "first_light.toml"


@pytest.fixture(scope="module")
def site() -> SiteLimits:
    return Config.from_file(DEFAULT_CONFIG).site


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = FIRST_LIGHT.read_text().replace('"../', f'"{EXAMPLES}/')
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted((EXAMPLES / "experiments").glob("*.toml")), ids=lambda p: p.stem)
def test_the_shipped_experiments_can_run_on_the_simulated_site(path: Path, site: SiteLimits) -> None:
    experiment = Experiment.from_file(path, site)
    assert experiment.protocol.describe()


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (('on_abort = "rest"\n', ""), ("on_abort", "(absent)")),
        (('on_client_lost = "rest"\n', ""), ("on_client_lost", "(absent)")),
        (('on_abort = "rest"', 'on_abort = "stop"'), ("on_abort", "stop")),
        (("exposure_s = 60.0", "exposure_s = -1.0"), ("xrd.exposure_s", "-1")),
        (("exposure_s = 60.0", "exposure_s = nan"), ("xrd.exposure_s",)),
        (("time_s = 300.0", "times = 300.0"), ("times", "did you mean time_s")),
        (("time_s = 300.0", ""), ("xrd.every",)),
        (('plan = "operando"', 'plan = "opperando"'), ("plan", "opperando")),
        (("initial_soc = 0.0", "initial_soc = 3.0"), ("initial_soc", "3")),
    ],
)
def test_a_mistake_is_named_with_file_and_field(
    tmp_path: Path, site: SiteLimits, pair: tuple[str, str], words: tuple[str, ...]
) -> None:
    path = changed(tmp_path, pair)
    with pytest.raises(ExperimentError) as refused:
        Experiment.from_file(path, site)
    message = str(refused.value)
    assert str(path) in message
    for word in words:
        assert word in message


def test_operando_without_a_measurement_is_refused(tmp_path: Path, site: SiteLimits) -> None:
    path = changed(tmp_path, ("[xrd]\nevery = { time_s = 300.0 }\nexposure_s = 60.0\n", ""))
    with pytest.raises(ExperimentError, match="xrd"):
        Experiment.from_file(path, site)


def test_a_cell_file_that_is_not_there_is_named(tmp_path: Path, site: SiteLimits) -> None:
    path = changed(tmp_path, ("nmc811_graphite_operando.toml", "no_such_cell.toml"))
    with pytest.raises(ExperimentError, match=r"no such file as .*no_such_cell"):
        Experiment.from_file(path, site)


def test_a_site_that_allows_less_refuses_the_protocol(tmp_path: Path, site: SiteLimits) -> None:
    narrow = site.model_copy(update={"max_current_mA": 0.1})
    with pytest.raises(ProtocolError, match=r"0\.1"):
        Experiment.from_file(changed(tmp_path), narrow)
