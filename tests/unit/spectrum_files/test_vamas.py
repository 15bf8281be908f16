"""VAMAS files: what is written is what is read, and what cannot be read is said with its line."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.spectrum_files import (
    Abscissa,
    CorrespondingVariable,
    NumericalParameter,
    SputteringIon,
    SputteringSource,
    VamasBlock,
    VamasError,
    VamasFile,
    parse_vamas,
    read_vamas,
    vamas_text,
    write_vamas,
)

LINE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
REAL = st.floats(-1e30, 1e30, allow_nan=False) | st.just(float("nan"))
FINITE = st.floats(-1e30, 1e30, allow_nan=False)
PAIR = st.tuples(REAL, REAL)
MODES = ("NORM", "SDP", "MAP", "MAPDP", "NOEXP")


def blocks(mode: str, scan: str, variables: int) -> st.SearchStrategy[VamasBlock]:
    profiled, mapped = mode in ("SDP", "MAPDP"), mode in ("MAP", "MAPDP")
    ion = st.builds(SputteringIon, st.integers(1, 92), REAL, REAL)
    source = st.builds(SputteringSource, REAL, REAL, REAL, REAL, REAL, REAL, LINE)

    def one(recorded: list[CorrespondingVariable]) -> st.SearchStrategy[VamasBlock]:
        size = st.integers(0, 5).flatmap(
            lambda points: st.lists(FINITE, min_size=points * len(recorded), max_size=points * len(recorded))
        )
        return st.builds(
            VamasBlock,
            block=LINE,
            sample=LINE,
            ordinates=size.map(lambda values: np.array(values, float).reshape(len(recorded), -1)),
            abscissa=st.builds(Abscissa, LINE, LINE, REAL, REAL) if scan == "REGULAR" else st.none(),
            year=st.integers(-1, 2100),
            month=st.integers(-1, 12),
            comment=st.lists(LINE, max_size=3).map(tuple),
            gmt_offset_h=FINITE,
            map_position=st.tuples(st.integers(1, 9), st.integers(1, 9)) if mapped else st.none(),
            variable_values=st.tuples(*(REAL,) * variables),
            sputtering_ion=ion if profiled else st.none(),
            sputtering_source=source if profiled else st.none(),
            field_of_view_um=PAIR if mapped else st.none(),
            source_energy_ev=REAL,
            pass_energy=REAL,
            beam_width_um=PAIR,
            take_off_deg=PAIR,
            species=LINE,
            transition=LINE,
            variables=st.just(tuple(recorded)),
            collection_time_s=REAL,
            scans=st.integers(1, 100),
            parameters=st.lists(st.builds(NumericalParameter, LINE, LINE, REAL), max_size=2).map(tuple),
        )

    return st.lists(st.builds(CorrespondingVariable, LINE, LINE), min_size=1, max_size=2).flatmap(one)


@st.composite
def files(draw) -> VamasFile:
    mode, scan = draw(st.sampled_from(MODES)), draw(st.sampled_from(("REGULAR", "IRREGULAR")))
    variables = draw(st.lists(st.tuples(LINE, LINE), max_size=2).map(tuple))
    return VamasFile(
        blocks=tuple(draw(st.lists(blocks(mode, scan, len(variables)), max_size=3))),
        institution=draw(LINE),
        operator=draw(LINE),
        comment=tuple(draw(st.lists(LINE, max_size=3))),
        experiment_mode=mode,
        scan_mode=scan,
        regions=draw(st.integers(0, 9)) if mode != "NOEXP" else 0,
        map_shape=(4, 2, 2) if mode in ("MAP", "MAPDP") else None,
        variables=variables,
    )


def same(one, other) -> bool:
    """Equal, where not a number is equal to itself."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (np.isnan(one) and np.isnan(other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)
    return one == other


@given(files())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(file):
    assert same(file, parse_vamas(vamas_text(file)))


@given(files(), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=20, deadline=None)
def test_lines_may_end_as_they_like(file, end):
    assert same(file, parse_vamas(vamas_text(file).replace("\n", end)))


@given(files(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_file_is_refused_or_read_and_nothing_else(file, data):
    lines = vamas_text(file).split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    put = data.draw(st.sampled_from(["", "x", "1e400", "nan", "-7", "99999999"]))
    after = lines[at + 1 :]
    damaged = data.draw(st.sampled_from([lines[:at], lines[:at] + after, [*lines[:at], put, *after]]))
    with contextlib.suppress(VamasError):
        parse_vamas("\n".join(damaged))


def spectrum(**changed) -> VamasBlock:
    given = {
        "block": "O 1s",
        "sample": "anode 7",
        "ordinates": np.array([[3.0, 1.0, 4.0, 1.0]]),
        "abscissa": Abscissa("binding energy", "eV", 540.0, -0.1),
        "comment": ("flood gun off", "  indented"),
        "collection_time_s": 0.2,
        "scans": 5,
        "pass_energy": 20.0,
    }
    return VamasBlock(**given | changed)


def test_a_file_on_disk(tmp_path):
    path = tmp_path / "anode.vms"
    file = VamasFile(
        (spectrum(), spectrum(block="C 1s", year=2026, month=3, day=4, hour=5, minute=6, second=7))
    )
    write_vamas(path, file)
    found = read_vamas(path)
    assert [one.block for one in found.blocks] == ["O 1s", "C 1s"]
    assert found.blocks[0].comment == ("flood gun off", "  indented")
    assert found.blocks[0].taken is None
    assert found.blocks[1].taken.isoformat() == "2026-03-04T05:06:07+00:00"
    assert found.blocks[0].seconds == pytest.approx(1.0)
    assert found.blocks[0].counts().tolist() == [3.0, 1.0, 4.0, 1.0]
    np.testing.assert_allclose(found.blocks[0].binding_ev(), [540.0, 539.9, 539.8, 539.7])


def test_latin_letters_of_an_old_instrument(tmp_path):
    path = tmp_path / "old.vms"
    path.write_bytes(vamas_text(VamasFile((spectrum(sample="Prüfling"),))).encode("latin-1"))
    assert read_vamas(path).blocks[0].sample == "Prüfling"


def test_kinetic_energies_become_binding_energies():
    block = spectrum(abscissa=Abscissa("Kinetic Energy", "eV", 950.0, 0.1))
    np.testing.assert_allclose(block.binding_ev(), 1486.6 - 950.0 - 0.1 * np.arange(4))
    with pytest.raises(VamasError, match="'time'"):
        spectrum(abscissa=Abscissa("time", "s", 0.0, 1.0)).binding_ev()


def test_what_a_later_block_leaves_out_is_that_of_the_first():
    """Lists of what is left out are read, though never written."""
    lines = vamas_text(VamasFile((spectrum(), spectrum(block="second")))).split("\n")
    listed = lines.index("NORM") + 4
    assert lines[listed : listed + 4] == ["0", "0", "0", "0"]
    second = lines.index("second")
    # Year to second, hours to GMT and the comment of three lines.
    shorter = [*lines[: second + 2], *lines[second + 12 :]]
    shorter[listed : listed + 1] = ["-8", *(str(number) for number in range(1, 9))]
    found = parse_vamas("\n".join(shorter))
    assert same(found.blocks[1], replace(found.blocks[0], block="second"))


@pytest.mark.parametrize(
    ("line", "put", "message"),
    [
        (0, "VAMAS 2", "line 1: the format identifier"),
        (6, "NORMAL", "line 7: experiment mode should be one of MAP.*'NORMAL'"),
        (7, "SPIRAL", "line 8: scan mode"),
        (5, "two", r"line 6: number of lines in the comment should be a whole number, but there is 'two'"),
        (14, "3", "line .*: year should be here, but there is the end of the file"),
    ],
)
def test_a_line_that_is_wrong_is_named(line, put, message):
    lines = vamas_text(VamasFile((spectrum(),))).split("\n")
    lines[line] = put
    with pytest.raises(VamasError, match=message):
        parse_vamas("\n".join(lines), "anode.vms")


def test_a_file_that_ends_early_is_named():
    lines = vamas_text(VamasFile((spectrum(),))).split("\n")
    with pytest.raises(VamasError, match=r"no more than the 3 lines left"):
        parse_vamas("\n".join(lines[:-5]))
    with pytest.raises(VamasError, match="the end of the file"):
        parse_vamas("\n".join(lines[:20]))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (VamasFile((spectrum(sample="two\nlines"),)), "single line"),
        (VamasFile((spectrum(),), experiment_mode="MAP", map_shape=(1, 1, 1)), "position in the map"),
        (VamasFile((spectrum(),), experiment_mode="SDP"), "sputtering ion"),
        (VamasFile((spectrum(pass_energy=np.inf),)), "finite"),
        (VamasFile((spectrum(ordinates=np.array([[1.0, np.nan]])),)), "finite numbers"),
        (VamasFile((spectrum(ordinates=np.ones(4)),)), r"shape \(4,\)"),
        (VamasFile((spectrum(abscissa=None),)), "abscissa"),
        (VamasFile((spectrum(technique="XRAY"),)), "one of AES"),
        (VamasFile((spectrum(),), variables=(("time", "s"),)), "values of variables"),
    ],
)
def test_what_cannot_be_written_is_refused(file, message):
    with pytest.raises(VamasError, match=message):
        vamas_text(file)


def test_another_reader_reads_the_same(tmp_path):
    other = pytest.importorskip("vamas")
    path = tmp_path / "anode.vms"
    write_vamas(path, VamasFile((spectrum(), spectrum(block="C 1s", species="C", transition="1s"))))
    found = other.Vamas(path)
    assert [one.block_identifier for one in found.blocks] == ["O 1s", "C 1s"]
    block = found.blocks[1]
    assert block.corresponding_variables[0].y_values == [3.0, 1.0, 4.0, 1.0]
    assert (block.x_start, block.x_step, block.signal_collection_time) == (540.0, -0.1, 0.2)
    assert (block.species_label, block.transition_or_charge_state_label) == ("C", "1s")
