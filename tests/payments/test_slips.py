"""Slip codes: made by a library that is not ours, and refused when they are anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import SlipUnreadable
from cbt.payments.promptpay import IdKind, Receiver, checksum, payload
from cbt.payments.slips import Slip, SlipProblem, read_slip

# Written by promptparse 1.6.0 (npm), which has its own checksum.
VECTORS = [
    ("004", "2026112408451234567890", "004300060000010103004022220261124084512345678905102TH9104A5E5"),
    ("014", "202611240A1B2C3D4", "0038000600000101030140217202611240A1B2C3D45102TH91043E5A"),
    ("002", "0002123123121200011", "004000060000010103002021900021231231212000115102TH91049C30"),
    ("025", "X1", "0023000600000101030250202X15102TH910438F9"),
    ("006", "ABCDEF0123456789ABCDEFGHI", "0046000600000101030060225ABCDEF0123456789ABCDEFGHI5102TH91047316"),
    ("034", "2026112400000085", "003700060000010103034021620261124000000855102TH91040FB2"),
    ("034", "2026112400000101", "003700060000010103034021620261124000001015102TH9104003E"),
]  # fmt: skip


def made(fields, country="5102TH", outer="00"):
    body = f"{outer}{len(fields):02}{fields}{country}"
    return f"{body}9104{checksum(body + '9104'):04X}"


def problem_of(text):
    with pytest.raises(SlipUnreadable) as refused:
        read_slip(text)
    return refused.value.facts["problem"]


def outcome_of(text):
    try:
        return read_slip(text)
    except SlipUnreadable as refused:
        return SlipProblem(refused.facts["problem"])


@pytest.mark.parametrize(("bank", "reference", "text"), VECTORS)
def test_a_slip_of_another_library_is_read(bank, reference, text):
    assert read_slip(text) == Slip(bank, reference)
    assert read_slip(f" {text.replace(text[-4:], text[-4:].lower())}\n") == Slip(bank, reference)


@pytest.mark.parametrize(("bank", "reference", "text"), VECTORS)
def test_a_checksum_without_its_leading_zeros_is_accepted(bank, reference, text):
    body, printed = text[:-8], text[-4:]
    short = f"{int(printed, 16):X}"
    assert read_slip(f"{body}9104{short}") == Slip(bank, reference)
    assert read_slip(f"{body}910{3 if len(short) < 4 else 4}{short}") == Slip(bank, reference)


@pytest.mark.parametrize(("bank", "reference", "text"), VECTORS)
def test_one_changed_letter_is_noticed(bank, reference, text):
    for place in range(len(text) - 4):
        other = "1" if text[place] != "1" else "2"
        assert problem_of(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", SlipProblem.TEXT, id="nothing"),
        pytest.param("https://pay.example/slip?id=1", SlipProblem.TEXT, id="address"),
        pytest.param("0" * 300, SlipProblem.TEXT, id="long"),
        pytest.param(VECTORS[0][2][:-4], SlipProblem.TEXT, id="no-checksum"),
        pytest.param(VECTORS[0][2].replace("004", "๐๐๔"), SlipProblem.TEXT, id="thai-digits"),
        pytest.param(VECTORS[0][2][:-1] + "6", SlipProblem.CHECKSUM, id="wrong-checksum"),
        pytest.param(
            payload(Receiver(IdKind.PHONE, "0812345678"), 100_00), SlipProblem.TEXT, id="to-pay"
        ),
        pytest.param(made("00060000020103004020312X"), SlipProblem.FIELDS, id="version"),
        pytest.param(made("0006000001010300402031"), SlipProblem.FIELDS, id="cut-off"),
        pytest.param(made("000600000101030A40203123"), SlipProblem.FIELDS, id="bank"),
        pytest.param(made("000600000101020402031234"), SlipProblem.FIELDS, id="bank-short"),
        pytest.param(made("0006000001010300402031-3"), SlipProblem.FIELDS, id="reference"),
        pytest.param(made("000600000101030040200"), SlipProblem.FIELDS, id="reference-empty"),
        pytest.param(made("0006000001010300401030060203123"), SlipProblem.FIELDS, id="twice"),
        pytest.param(made("00060000010103004"), SlipProblem.FIELDS, id="no-reference"),
        pytest.param(made("00060000010103004020312A", "5102LA"), SlipProblem.FIELDS, id="country"),
        pytest.param(made("00060000010103004020312A", ""), SlipProblem.FIELDS, id="no-country"),
        pytest.param(made("00060000010103004020312A", outer="01"), SlipProblem.FIELDS, id="outer"),
    ],
)
def test_what_is_no_slip_is_refused_with_its_reason(text, problem):
    assert problem_of(text) == problem


def test_the_same_fields_made_right_are_read():
    assert read_slip(made("00060000010103004020312A")) == Slip("004", "12A")


REFERENCES = st.text("0123456789ABCDEFXYZabc", min_size=1, max_size=40)


@given(bank=st.from_regex(r"[0-9]{3}", fullmatch=True), reference=REFERENCES)
def test_any_slip_reads_back(bank, reference):
    fields = f"00060000010103{bank}02{len(reference):02}{reference}"
    assert read_slip(made(fields)) == Slip(bank, reference)


@given(text=st.text() | st.text("0123456789ATH", max_size=60).map(made))
def test_random_text_raises_nothing_but_our_own(text):
    outcome = outcome_of(text)
    assert outcome in SlipProblem or outcome.reference in text
