"""Readers of cycler files: every language of an export, and what is refused."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intercalate.contract import RECORD_COLUMNS
from intercalate.cycling_files import CyclingFileError, claims_of, read_cycling_file, read_cycling_files
from unit.cycling_files.samples import PERIOD_S, bdf_columns, course, csv_text, mpt_text, write_mpt

PARIS = ZoneInfo("Europe/Paris")
STARTED = datetime(2022, 7, 26, 20, 38, 30, 190_000, UTC).timestamp()


@pytest.mark.parametrize("mark", [",", "."])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_language_gives_the_same_numbers(tmp_path: Path, mark: str, encoding: str, end: str) -> None:
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", mark=mark, encoding=encoding, end=end), zone=PARIS)
    known = course()
    assert set(read.columns) < set(RECORD_COLUMNS)
    np.testing.assert_allclose(read.columns["test_time_second"], known["time/s"], rtol=1e-14)
    np.testing.assert_allclose(read.columns["unix_time_second"], STARTED + known["time/s"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(read.columns["voltage_volt"], known["Ewe/V"], rtol=1e-14)
    np.testing.assert_allclose(read.columns["current_ampere"], known["<I>/mA"] / 1000, rtol=1e-14)
    np.testing.assert_allclose(read.columns["net_capacity_ah"], known["(Q-Qo)/mA.h"] / 1000, rtol=1e-14)
    assert read.columns["step_id"].tolist() == (known["Ns"] + 1).tolist()
    assert read.columns["step_count"][[0, 10, 11, -1]].tolist() == [1, 1, 2, 2]
    assert read.header["Comments"] == "Grüße, 25 µA"
    assert read.warnings == ()


@pytest.mark.parametrize(
    "started",
    [
        "07/26/2022 22:38:30.190",
        "07/26/2022 22:38:30,190",
        "26/07/2022 22:38:30.19",
        "26.07.2022 22:38:30.190",
        "2022-07-26 22:38:30.190",
        "2022/7/26 22:38:30.190",
        "7/26/2022 10:38:30.190 PM",
    ],
)
def test_orders_of_a_date(tmp_path: Path, started: str) -> None:
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", started=started), zone=PARIS)
    assert read.columns["unix_time_second"][0] == pytest.approx(STARTED, abs=1e-5)
    assert read.warnings == ()


def test_a_date_that_could_be_two_says_which_it_is_taken_for(tmp_path: Path) -> None:
    path = write_mpt(tmp_path / "a.mpt", started="05/06/2022 10:00:00")
    may, june = (datetime(2022, month, day, 8, tzinfo=UTC).timestamp() for month, day in ((5, 6), (6, 5)))
    read = read_cycling_file(path, zone=PARIS)
    assert read.columns["unix_time_second"][0] == may
    assert "taken as the month" in read.warnings[0]
    read = read_cycling_file(path, zone=PARIS, day_first=True)
    assert (read.columns["unix_time_second"][0], read.warnings) == (june, ())


def test_the_zone_of_this_machine_is_taken_only_with_a_word(tmp_path: Path) -> None:
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt"))
    local = datetime(2022, 7, 26, 22, 38, 30, 190_000).astimezone()
    assert read.columns["unix_time_second"][0] == pytest.approx(local.timestamp())
    assert "that of this machine" in read.warnings[0]


def test_hours_that_clocks_skip_or_repeat(tmp_path: Path) -> None:
    skipped = write_mpt(tmp_path / "a.mpt", started="03/27/2022 02:30:00")
    with pytest.raises(CyclingFileError, match=r"line 7 = '2022-03-27 02:30:00'.*skipped this time"):
        read_cycling_file(skipped, zone=PARIS)
    twice = read_cycling_file(write_mpt(tmp_path / "b.mpt", started="10/30/2022 02:30:00"), zone=PARIS)
    assert twice.columns["unix_time_second"][0] == datetime(2022, 10, 30, 0, 30, tzinfo=UTC).timestamp()
    assert "came twice" in twice.warnings[0]


def renamed(old: str, new: str, factor: float) -> dict[str, np.ndarray]:
    return {new if k == old else k: v * factor if k == old else v for k, v in course().items()}


@pytest.mark.parametrize(
    ("columns", "column", "scale"),
    [
        (renamed("<I>/mA", "I/mA", 1.0), "<I>/mA", 1e-3),
        (renamed("<I>/mA", "I/µA", 1e3), "<I>/mA", 1e-3),
        (renamed("<I>/mA", "I/uA", 1e3), "<I>/mA", 1e-3),
        (renamed("<I>/mA", "I/A", 1e-3), "<I>/mA", 1e-3),
        (renamed("Ewe/V", "Ecell/V", 1.0), "Ewe/V", 1.0),
        (renamed("Ewe/V", "Ewe/mV", 1e3), "Ewe/V", 1.0),
        (renamed("(Q-Qo)/mA.h", "(Q-Qo)/µA.h", 1e3), "(Q-Qo)/mA.h", 1e-3),
        (renamed("(Q-Qo)/mA.h", "(Q-Qo)/C", 3.6), "(Q-Qo)/mA.h", 1e-3),
    ],
)
def test_units_come_from_the_names_of_the_columns(tmp_path: Path, columns, column: str, scale: float) -> None:
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", columns), zone=PARIS)
    ours = {"<I>/mA": "current_ampere", "Ewe/V": "voltage_volt", "(Q-Qo)/mA.h": "net_capacity_ah"}[column]
    np.testing.assert_allclose(read.columns[ours], course()[column] * scale, rtol=1e-12, atol=1e-18)


def test_the_cells_voltage_comes_before_that_of_an_electrode(tmp_path: Path) -> None:
    columns = {**course(), "Ecell/V": course()["Ewe/V"] - 0.1}
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", columns), zone=PARIS)
    np.testing.assert_allclose(read.columns["voltage_volt"], course()["Ewe/V"] - 0.1, rtol=1e-12)


def test_charge_that_is_not_counted_is_integrated(tmp_path: Path) -> None:
    columns = {name: values for name, values in course().items() if name != "(Q-Qo)/mA.h"}
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", columns), zone=PARIS)
    expected = course()["(Q-Qo)/mA.h"] / 1000
    # Half a period at the beginning: the current rises between two records.
    assert np.abs(read.columns["net_capacity_ah"] - expected).max() < 0.51 * 0.5e-3 * PERIOD_S / 3600
    assert "integral of the current" in read.warnings[0]


def test_a_rest_has_no_column_of_current(tmp_path: Path) -> None:
    columns = {name: course(rest_rows=60)[name] for name in ("mode", "time/s", "Ewe/V")}
    path = write_mpt(tmp_path / "a.mpt", columns, technique="Open Circuit Voltage")
    read = read_cycling_file(path, zone=PARIS)
    assert not read.columns["current_ampere"].any()
    with pytest.raises(CyclingFileError, match="line 10, I/mA or <I>/mA"):
        read_cycling_file(write_mpt(tmp_path / "b.mpt", columns), zone=PARIS)


def edited(old: str, new: str, count: int = 1) -> bytes:
    text = mpt_text()
    assert old in text, old
    return text.replace(old, new, count).encode("latin-1")


def lines_of(text: str) -> list[str]:
    return text.split("\r\n")


def exchanged() -> bytes:
    lines = lines_of(mpt_text())
    lines[20], lines[21] = lines[21], lines[20]
    return "\r\n".join(lines).encode("latin-1")


LAST_LINE = len(lines_of(mpt_text())) - 1
VOLTAGE_LAST = f"{course()['Ewe/V'][-1]:.15E}".replace(".", ",")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1 = '\\(nothing\\)': the file is empty"),
        (b"\x00\x01\x02", "line 1.*no text"),
        (b"PK\x03\x04 something", "line 1 = .*begins with 'EC-Lab ASCII FILE'"),
        (edited("Nb header lines : 10", "Nb header lines : 9"), "the columns are named in line 10"),
        (edited("Nb header lines : 10", "Nb header lines : 400"), "the columns are named in line 10"),
        (edited("Nb header lines : 10", "Nb headers"), "line 2.*must say 'Nb header lines : N'"),
        (mpt_text().encode()[:120], "the file ends after line"),
        (edited("time/s", "time/h"), "line 10 must name the columns, time/s among them"),
        (edited("Ewe/V", "Ewe/volt"), "line 10, Ecell/V or Ewe/V = \\(absent\\)"),
        (edited("<I>/mA", "current"), "line 10, I/mA or <I>/mA = \\(absent\\)"),
        (edited(VOLTAGE_LAST, VOLTAGE_LAST.replace(",", ".")), f"line {LAST_LINE}, Ewe/V.*decimal point"),
        (edited(VOLTAGE_LAST, "1.234," + "5"), f"line {LAST_LINE}, Ewe/V = '1.234,5'.*decimal point"),
        (edited(VOLTAGE_LAST, "3;459E+00"), f"line {LAST_LINE}, Ewe/V = '3;459E\\+00'.*no finite number"),
        (edited(VOLTAGE_LAST, "1,0E+999"), f"line {LAST_LINE}, Ewe/V.*no finite number"),
        (edited(VOLTAGE_LAST, ""), f"line {LAST_LINE}, Ewe/V = '.nothing.'"),
        (edited("0,000000000000000E+00", "07/26/2022 22:38:30", 1), "line 11, time/s.*relative to the start"),
        (edited(VOLTAGE_LAST, "34,5E+00"), f"line {LAST_LINE}, voltage_volt = 34.5: must be -1 to 6 V"),
        (edited("\t" + VOLTAGE_LAST, ""), f"line {LAST_LINE}.*has 8 of 9 columns"),
        (exchanged(), "line 22, test_time_second = 300.0: time goes back, the line before has 330"),
        (edited("07/26/2022 22:38:30.190", "26 July 2022"), "line 7 = '26 July 2022': is no date and time"),
        (edited("07/26/2022", "07/26/22"), "line 7.*year of four digits"),
        (edited("07/26/2022", "26/26/2022"), "line 7.*is no date and time: month must be in 1..12"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cell.mpt"
    path.write_bytes(content)
    with pytest.raises(CyclingFileError, match=message) as caught:
        read_cycling_file(path, zone=PARIS)
    assert caught.value.source == "cell.mpt"
    assert all(problem.fix for problem in caught.value.problems)


def test_a_file_in_which_plus_discharges_is_refused(tmp_path: Path) -> None:
    columns = {**course(200), "<I>/mA": -course(200)["<I>/mA"]}
    with pytest.raises(CyclingFileError, match="fall of the voltage under positive current"):
        read_cycling_file(write_mpt(tmp_path / "a.mpt", columns), zone=PARIS)


def test_a_count_that_is_not_the_currents_is_doubted(tmp_path: Path) -> None:
    columns = {**course(), "(Q-Qo)/mA.h": 3 * course()["(Q-Qo)/mA.h"]}
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", columns), zone=PARIS)
    assert "away from the integral" in read.warnings[0]


def test_a_line_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    lines = lines_of(mpt_text())
    lines.insert(30, lines[30])
    path = tmp_path / "a.mpt"
    path.write_bytes("\r\n".join(lines).encode("latin-1"))
    read = read_cycling_file(path, zone=PARIS)
    assert read.rows == 60
    assert "the first is line 32" in read.warnings[0]


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("separator", "mark"), [(",", "."), (";", ","), (";", "."), ("\t", ",")])
def test_battery_data_format(tmp_path: Path, labels: bool, separator: str, mark: str) -> None:
    path = tmp_path / "cell.bdf.csv"
    path.write_text(csv_text(bdf_columns(labels=labels), separator, mark))
    table = pa.table({name: pa.array(values) for name, values in bdf_columns(labels=labels).items()})
    pq.write_table(table, tmp_path / "cell.bdf.parquet")
    text, parquet = (read_cycling_file(one) for one in (path, tmp_path / "cell.bdf.parquet"))
    for name, values in bdf_columns(labels=False).items():
        assert text.columns[name].tolist() == values.tolist()
        assert parquet.columns[name].tolist() == values.tolist()
    assert text.has_absolute_time
    assert text.sha256 != parquet.sha256


def test_counters_that_begin_anew_are_added_up(tmp_path: Path) -> None:
    columns = bdf_columns(unix=False)
    net = columns.pop("Net Capacity / Ah")
    again = np.where(np.arange(60) < 40, net, net - net[39])
    columns |= {"Charging Capacity / Ah": again, "Discharging Capacity / Ah": np.zeros(60)}
    path = tmp_path / "cell.csv"
    path.write_text(csv_text(columns))
    read = read_cycling_file(path)
    np.testing.assert_allclose(read.columns["net_capacity_ah"], net, atol=1e-12)
    assert not read.has_absolute_time
    assert not {"charging_capacity_ah", "discharging_capacity_ah"} & set(read.columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (csv_text({k: v for k, v in bdf_columns().items() if "Volt" not in k}), "line 1, Voltage / V"),
        (csv_text(bdf_columns())[:-2], "line 61 = '1658869680.1': the last line has no end"),
        (csv_text(bdf_columns())[:-30], "line 61.*has 4 of 6 columns, the file ends there"),
        (csv_text(bdf_columns() | {"voltage_volt": np.zeros(60)}), "all of them are voltage_volt"),
        (csv_text(bdf_columns()).replace("3.4,", '3.4",', 1), "line 2"),
        (csv_text(bdf_columns(1)), "needs two records"),
        (csv_text(bdf_columns(0)), "needs two records"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cell.csv"
    path.write_text(text)
    with pytest.raises(CyclingFileError, match=message):
        read_cycling_file(path)


def test_other_files_are_refused_by_their_names(tmp_path: Path) -> None:
    with pytest.raises(CyclingFileError, match=r"file name = '.mpr'.*export it as text"):
        read_cycling_file(tmp_path / "cell.mpr")


def continuation(tmp_path: Path, *, started: str = "07/26/2022 23:10:00.190") -> Path:
    return write_mpt(tmp_path / "b.mpt", course(40), started=started)


def test_files_go_on_from_one_to_the_next(tmp_path: Path) -> None:
    first, second = write_mpt(tmp_path / "a.mpt"), continuation(tmp_path)
    series = read_cycling_files([second, first], zone=PARIS)
    assert [one.name for one in series.files] == ["a.mpt", "b.mpt"]
    assert len(series.clock_s) == 100
    assert (np.diff(series.clock_s) > 0).all()
    assert (np.diff(series.columns["net_capacity_ah"]) >= 0).all()
    assert series.columns["test_time_second"] == pytest.approx(series.clock_s - STARTED, abs=1e-5)
    assert series.columns["record_seq"].tolist() == list(range(100))
    assert series.columns["step_count"].tolist() == [1] * 11 + [2] * 49 + [3] * 11 + [4] * 29
    (restart,) = series.restarts
    assert restart.start_s - restart.end_s == pytest.approx(120.0)
    assert restart.charge_ah == pytest.approx(0.5e-3 * 120 / 3600)
    assert "taken to have rested" in series.warnings[0]


def test_files_that_overlap_or_have_no_time_do_not_go_together(tmp_path: Path) -> None:
    first = write_mpt(tmp_path / "a.mpt")
    with pytest.raises(CyclingFileError, match=r"b.mpt.*\n.*before a.mpt ends"):
        read_cycling_files([first, continuation(tmp_path, started="07/26/2022 22:50:00")], zone=PARIS)
    without = write_mpt(tmp_path / "c.mpt", started=None)
    with pytest.raises(CyclingFileError, match="start of the acquisition"):
        read_cycling_files([first, without], zone=PARIS)
    assert not read_cycling_files([without], zone=PARIS).has_absolute_time


def test_what_a_header_says_of_the_cell_is_told_and_doubted(tmp_path: Path) -> None:
    header = (
        "Mass of active material : 7000,000 mg",
        "Characteristic mass : 0,001 mg",
        "Electrode surface area : 1,000 cm²",
        "Electrode material : ",
        "Electrolyte : LP57",
        "Comments : Li-ion 18650 1.35 A.h",
    )
    read = read_cycling_file(write_mpt(tmp_path / "a.mpt", header=header), zone=PARIS)
    claims = {claim.name: claim for claim in claims_of([read])}
    assert claims["Mass of active material"].mass_mg == 7000
    assert "implausible" in claims["Mass of active material"].doubt
    assert claims["Characteristic mass"].doubt == "the instrument's default"
    assert claims["Electrode surface area"].doubt == "the instrument's default"
    assert "mAh passed of 1350" in claims["Comments"].doubt
    assert claims["Electrolyte"].doubt == ""
    assert "Electrode material" not in claims


def test_a_mass_that_may_be_right_is_not_doubted(tmp_path: Path) -> None:
    path = write_mpt(tmp_path / "a.mpt", header=("Mass of active material : 2,500 mg",))
    (claim, _) = claims_of([read_cycling_file(path, zone=PARIS)])
    assert (claim.mass_mg, claim.doubt) == (2.5, "")
