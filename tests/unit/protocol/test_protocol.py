import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from intercalate.protocol import ConstantCurrent, Loop, OpenCircuitVoltage, Protocol, ProtocolError, Record

from .samples import contents, few

REST = {"step": "open_circuit_voltage", "until_time_s": 60}


def protocol_of(*method: dict[str, Any], **parts: Any) -> Protocol:
    return Protocol.from_dict({"record": {"time_s": 10}, "method": list(method)} | parts)


def problems_in(*method: dict[str, Any], **parts: Any) -> dict[str, str]:
    with pytest.raises(ProtocolError) as caught:
        protocol_of(*method, **parts)
    return {problem.where: str(problem) for problem in caught.value.problems}


@pytest.mark.realdata
def test_a_protocol_of_a_robot_laboratory_loads_unchanged(real_data: Path):
    path = real_data / "protocol" / "aurora_unicycler_protocol.json"
    protocol = Protocol.from_file(path)
    written = json.loads(protocol.to_json())
    assert written == json.loads(path.read_text())


@few
@given(contents())
def test_json_round_trip_keeps_content_and_hash(content):
    protocol = Protocol.from_dict(content)
    again = Protocol.from_json(protocol.to_json(indent=2))
    assert again == protocol
    assert again.sha256 == protocol.sha256
    assert again.to_json() == protocol.to_json()


@few
@given(contents())
def test_hash_does_not_depend_on_the_order_of_keys_or_on_spelled_out_defaults(content):
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(one) for one in value] if isinstance(value, list) else value

    spelled = {"unicycler": {"version": "9.9"}, "safety": {}} | turned(content)
    for step in spelled["method"]:
        if step["step"] == "constant_current":
            step.setdefault("until_capacity_mAh", None)
    assert Protocol.from_dict(spelled).sha256 == Protocol.from_dict(content).sha256


@few
@given(contents())
def test_hash_changes_with_the_content(content):
    protocol = Protocol.from_dict(content)
    content["record"]["time_s"] += 1.0
    assert Protocol.from_dict(content).sha256 != protocol.sha256


@few
@given(contents())
def test_every_valid_method_can_be_said_one_line_a_step(content):
    protocol = Protocol.from_dict(content)
    assert len(protocol.describe().splitlines()) == len(protocol.method)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(json_values)
def test_any_json_value_is_a_protocol_or_a_protocol_error(value):
    with pytest.raises(ProtocolError):
        Protocol.from_json(json.dumps(value))


@few
@given(contents(), st.data())
def test_damage_to_a_valid_file_gives_a_protocol_or_a_protocol_error(content, data):
    step = data.draw(st.sampled_from(content["method"]))
    key = data.draw(st.sampled_from(sorted(step)) | st.text(max_size=4))
    step[key] = data.draw(json_values)
    try:
        protocol = Protocol.from_json(json.dumps(content))
    except ProtocolError:
        return
    assert Protocol.from_json(protocol.to_json()) == protocol


@given(st.text())
def test_text_that_is_no_json_raises_protocol_error_only(text):
    with pytest.raises(ProtocolError):
        Protocol.from_json(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"record": {"time_s": 1, "time_s": 2}}', "9" * 5000])
def test_hostile_json_raises_protocol_error(text):
    with pytest.raises(ProtocolError):
        Protocol.from_json(text)


def test_three_mistakes_are_reported_at_once_with_their_paths():
    found = problems_in(
        {"step": "constant_current", "rate_C": 0.1, "until_volts_V": 4.2, "until_time_s": 10},
        {"step": "constant_curent", "rate_C": 0.1, "until_time_s": 10},
        {"step": "constant_voltage", "voltage_V": 4.2},
        {"step": "loop", "loop_to": 9, "cycle_count": 2},
    )
    assert "did you mean until_voltage_V?" in found["method[0].until_volts_V"]
    assert "did you mean constant_current?" in found["method[1].step"]
    assert "a cut-off is needed" in found["method[2].until_time_s"]
    assert "position 4" in found["method[3].loop_to"]
    assert len(found) == 4


def test_error_text_names_the_file(tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text('{"record": {"time_s": -1}, "method": []}')
    with pytest.raises(ProtocolError, match=r"wrong\.json: 2 problems\n  record\.time_s = -1"):
        Protocol.from_file(path)
    odd = tmp_path / "protocol.yaml"
    odd.write_text("")
    with pytest.raises(ProtocolError, match=r"\.json or \.toml"):
        Protocol.from_file(odd)


def test_toml_and_json_say_the_same(tmp_path):
    path = tmp_path / "rest.toml"
    path.write_text('[record]\ntime_s = 10\n[[method]]\nstep = "open_circuit_voltage"\nuntil_time_s = 60\n')
    assert Protocol.from_file(path).sha256 == protocol_of(REST).sha256


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", True, "ten", 10**400, [1], {}])
def test_numbers_must_be_finite_numbers(value):
    assert "method[0].until_time_s" in problems_in({"step": "open_circuit_voltage", "until_time_s": value})


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.05", 0.05),
        ("  0.05  ", 0.05),
        ("1/20", 0.05),
        ("C/5", 0.2),
        ("D/5", -0.2),
        ("3D/3", -1.0),
        ("C5/25", 0.2),
        ("2e-1", 0.2),
        ("1.23e3 C / 1.23e4", 0.1),
        ("-C/10", -0.1),
        ("-1/10", -0.1),
        ("2C", 2.0),
        (1, 1.0),
    ],
)
def test_c_rates_may_be_written_as_fractions(text, rate):
    step = protocol_of({"step": "constant_current", "rate_C": text, "until_time_s": 1}).method[0]
    assert step.rate_C == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["invalid", "1/2/3", "1\\5", "1 . 0", "5C/2D", "3C/2C", "C/0", "-D/2", "/", "nan"]
)
def test_other_texts_are_no_c_rates(text):
    assert "method[0].rate_C" in problems_in({"step": "constant_current", "rate_C": text, "until_time_s": 1})


def test_variants_of_aurora_files_are_read():
    protocol = protocol_of(
        {"step": "tag", "tag": "cycle"},
        {
            "step": "constant_current",
            "id": "a",
            "rate_C": "",
            "current_mA": "-1",
            "until_time_s": "60",
            "until_voltage_V": "",
        },
        {
            "step": "constant_voltage",
            "voltage_V": "3",
            "until_time_s": 0,
            "until_rate_C": "0.05",
            "until_current_mA": None,
        },
        {"step": "loop", "start_step": 2, "cycle_count": "3"},
        {
            "step": "impedance_spectroscopy",
            "amplitude_V": 0.01,
            "amplitude_mA": "",
            "start_frequency_Hz": 1e5,
            "end_frequency_Hz": 0.1,
            "drift_correction": None,
        },
        {"step": "voltage_scan", "start_voltage_V": 3, "end_voltage_V": 4, "scan_rate_mV_per_s": 1},
        unicycler={"version": "0.1.0"},
        sample={"name": "$NAME", "capacity_mAh": None},
        safety={"max_capacity_mAh": None, "delay_s": ""},
    )
    assert protocol.method[1].current_mA == -1.0
    assert protocol.method[2].until_time_s is None
    assert protocol.method[3].loop_to == 2
    older = Protocol.from_dict({"measurement": {"time_s": 10}, "method": [REST]})
    assert older.sha256 == protocol_of(REST).sha256


def test_a_zero_end_voltage_is_a_voltage():
    step = protocol_of({"step": "constant_current", "rate_C": -0.1, "until_voltage_V": 0}).method[0]
    assert step.until_voltage_V == 0.0


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ([REST, {"step": "loop", "loop_to": 0, "cycle_count": 2}], "method[1].loop_to"),
        ([REST, {"step": "loop", "loop_to": 2, "cycle_count": 2}], "method[1].loop_to"),
        ([REST, {"step": "loop", "loop_to": "no", "cycle_count": 2}], "method[1].loop_to"),
        ([REST, {"step": "loop", "loop_to": 1, "cycle_count": 0}], "method[1].cycle_count"),
        ([REST, {"step": "loop", "loop_to": 1, "cycle_count": 1.5}], "method[1].cycle_count"),
        (
            [REST, {"step": "tag", "tag": "a"}, {"step": "loop", "loop_to": "a", "cycle_count": 2}],
            "method[2].loop_to",
        ),
        ([{"step": "tag", "tag": "a"}, {"step": "tag", "tag": "a"}, REST], "method[1].tag"),
        ([{"step": "loop", "loop_to": 1, "cycle_count": 2}], "method[0].loop_to"),
        (
            [
                REST,
                REST,
                {"step": "loop", "loop_to": 1, "cycle_count": 2},
                REST,
                {"step": "loop", "loop_to": 2, "cycle_count": 2},
            ],
            "method[4].loop_to",
        ),
        (
            [
                REST,
                {"step": "loop", "loop_to": 1, "cycle_count": 2},
                REST,
                {"step": "loop", "loop_to": 2, "cycle_count": 2},
            ],
            "method[3].loop_to",
        ),
        (
            [{"step": "marker", "marker": "m"}, {"step": "loop", "loop_to": 1, "cycle_count": 2}],
            "method[1].loop_to",
        ),
    ],
)
def test_wrong_loops_are_refused(method, where):
    assert list(problems_in(*method)) == [where]


def test_two_loops_may_begin_at_one_step():
    loop = {"step": "loop", "loop_to": 1, "cycle_count": 2}
    assert len(protocol_of(REST, loop, REST, loop).method) == 4


def test_models_are_built_in_python_and_stay_as_they_are():
    protocol = Protocol(
        record=Record(time_s=10),
        method=[
            ConstantCurrent(rate_C=0.1, until_voltage_V=4.2),
            OpenCircuitVoltage(until_time_s=60),
            Loop(cycle_count=2),
        ],
    )
    assert isinstance(protocol.method, tuple)
    with pytest.raises(ValidationError, match="frozen"):
        protocol.record.time_s = 1.0
    with pytest.raises(ValueError, match="a cut-off is needed"):
        ConstantCurrent(rate_C=0.1)
    with pytest.raises(ValueError, match="no such tag"):
        Protocol(
            record=Record(time_s=10),
            method=[OpenCircuitVoltage(until_time_s=60), Loop(loop_to="x", cycle_count=2)],
        )


def test_description_reads_as_a_person_would_say_it():
    protocol = protocol_of(
        {"step": "constant_current", "rate_C": "C/10", "until_voltage_V": 4.2, "until_time_s": 54000},
        {"step": "constant_voltage", "voltage_V": 4.2, "until_rate_C": "C/20", "until_time_s": 3600},
        {"step": "open_circuit_voltage", "until_time_s": 600},
        {"step": "constant_current", "current_mA": -2, "until_voltage_V": 2.8},
        {"step": "loop", "loop_to": 1, "cycle_count": 100},
        {"step": "wait_for_release", "max_s": 1800},
    )
    assert protocol.describe().splitlines() == [
        "1. Charge at C/10 until 4.2 V (at most 15 h).",
        "2. Hold at 4.2 V until the current falls to C/20 (at most 1 h).",
        "3. Rest for 10 min.",
        "4. Discharge at 2 mA until 2.8 V.",
        "5. Repeat steps 1 to 4, 100 times in all.",
        "6. Rest until released (at most 30 min).",
    ]
