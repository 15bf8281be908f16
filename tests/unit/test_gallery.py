"""The page of figures: each technique with what was found, or named as not shown; nothing is made twice."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

import intercalate.gallery
from intercalate.gallery import SHOWN, make_gallery
from intercalate.services import ServiceError
from intercalate.techniques import table
from intercalate.views.gallery import Exhibit, page
from intercalate_plans.studies import load_study, studies

QUANTITIES = [
    {"name": "a", "label": "thickness of <this>", "value": 12.3456, "sigma": 0.0321, "unit": "um"},
    {"name": "b", "label": "rate", "value": 1234.5, "sigma": 67.8, "unit": ""},
    {"name": "c", "label": "lost", "value": None, "sigma": None, "unit": "um"},
]
RESULT = {
    "study": "S40",
    "title": "Layers & isles",
    "question": "How thick?",
    "finding": "x < y.",
    "quantities": QUANTITIES,
    "differs": "Nothing.",
    "seed": 5,
    "runs": ["abc", "def"],
    "simulated": True,
    "recovered": False,
    "figure": "elsewhere/S40.png",
}


class Seen(HTMLParser):
    """Images and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.images: list[str | None] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_says_what_was_found_with_errors_and_that_it_is_simulated() -> None:
    exhibit = Exhibit("scanning electron microscopy", RESULT, ["thickness of <this>: 1 um"], "S40/S40.png")
    seen = Seen(page([exhibit], ["focused ion beam"]))
    assert not seen.open
    assert seen.images == ["S40/S40.png"]
    for said in (
        "S40: Layers & isles",
        "simulated, its finding does not come out",
        "x < y.",
        "thickness of <this>: 1 um",
        "intercalate study S40 --seed 5",
        "abc, def",
        "Not shown: focused ion beam.",
    ):
        assert said in " ".join(seen.words.split()), said


def test_what_is_shown_is_a_study_of_that_technique() -> None:
    assert set(SHOWN) <= set(table().techniques)
    assert set(SHOWN.values()) <= set(studies())
    for name in SHOWN.values():
        assert load_study(name).about.differs


def test_a_result_that_is_there_is_kept_unless_it_is_of_another_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def run(name, folder, seed):
        done.append((name, seed))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(b"")
        given = RESULT | {"study": name, "seed": seed, "figure": str(folder / f"{name}.png")}
        (folder / "result.json").write_text(json.dumps(given))

    monkeypatch.setattr(intercalate.gallery, "_run", run)
    monkeypatch.setattr(intercalate.gallery, "SHOWN", {"xrd": "S20", "sem": "S40"})
    for seed, times in ((1, 2), (1, 2), (2, 4)):
        path = make_gallery(tmp_path, seed=seed, console=Console(quiet=True))
        assert len(done) == times
    seen = Seen(path.read_text())
    assert seen.images == ["S20/S20.png", "S40/S40.png"]
    assert "thickness of <this>: 12.346 ± 0.032 um" in seen.words
    assert "lost: undetermined" in seen.words
    assert all((tmp_path / str(one)).exists() for one in seen.images)
    assert "Raman spectroscopy" in seen.words.split("Not shown: ")[1]


def test_a_study_that_fails_ends_it_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intercalate.gallery, "SHOWN", {"xrd": "S999"})
    with pytest.raises(ServiceError, match="study S999 ended with code"):
        make_gallery(tmp_path, seed=1, console=Console(quiet=True))
    assert not (tmp_path / "index.html").exists()
