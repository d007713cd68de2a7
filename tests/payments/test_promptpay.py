"""PromptPay payloads: read back by decoders that are not ours, and drawn so that a phone reads them."""

import io
import json
from pathlib import Path

import pytest
import segno
import zxingcpp
from PIL import Image

from cbt.errors import AmountInvalid, PromptPayIdInvalid
from cbt.payments.promptpay import IdKind, Receiver, check_digit, normalise, payload

VECTORS = json.loads((Path(__file__).parent / "promptpay_vectors.json").read_text())["cases"]
NAMES = [case["name"] for case in VECTORS]


def decode(text):
    """An independent reader of tags within tags: {tag: value or {tag: value}}."""
    tags = {}
    while text:
        number, length, text = text[:2], int(text[2:4]), text[4:]
        value, text = text[:length], text[length:]
        tags[number] = decode(value) if number in ("29", "30") else value
    return tags


def slow_checksum(data):
    """CRC-16/CCITT-FALSE, a bit at a time."""
    register = 0xFFFF
    for byte in data:
        for bit in range(8):
            high = (register >> 15) ^ (byte >> (7 - bit)) & 1
            register = (register << 1) & 0xFFFF
            if high & 1:
                register ^= 0x1021
    return register


def make(case):
    receiver = Receiver(IdKind(case["kind"]), case["id"])
    return payload(receiver, case["amount_satang"], case["ref1"], case["ref2"])


@pytest.mark.parametrize("case", VECTORS, ids=NAMES)
def test_the_payload_is_the_one_that_another_library_read(case):
    assert make(case) == case["payload"]
    assert decode(case["payload"]) == case["tags"]


@pytest.mark.parametrize("case", VECTORS, ids=NAMES)
def test_the_checksum_is_right_by_a_slow_twin(case):
    text = make(case)
    assert text[-8:-4] == "6304"
    assert int(text[-4:], 16) == slow_checksum(text[:-4].encode())


def test_a_transfer_and_a_bill_payment_carry_what_their_tags_say():
    phone = decode(payload(Receiver(IdKind.PHONE, "081-234-5678"), 300_007))
    assert phone["29"] == {"00": "A000000677010111", "01": "0066812345678"}
    tax = decode(payload(Receiver(IdKind.TAX_ID, "0994000123451"), 300_007))
    assert tax["29"] == {"00": "A000000677010111", "02": "0994000123451"}
    biller = Receiver(IdKind.BILLER, "0994-0001-2345-101")
    bill = decode(payload(biller, 300_007, "B-7K2M9Q", "attempt 17"))
    assert bill["30"] == {
        "00": "A000000677010112",
        "01": "099400012345101",
        "02": "B7K2M9Q",
        "03": "ATTEMPT17",
    }
    for tags in (phone, tax, bill):
        assert (tags["53"], tags["54"], tags["58"]) == ("764", "3000.07", "TH")


@pytest.mark.parametrize("case", VECTORS, ids=NAMES)
def test_the_drawn_code_reads_back_to_the_same_bytes(case):
    text = make(case)
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="png", scale=4, border=4)
    [read] = zxingcpp.read_barcodes(Image.open(drawn))
    assert read.bytes == text.encode()


@pytest.mark.parametrize("amount", [0, -1, 100_000_000_00])
def test_an_amount_that_no_bank_takes_is_refused(amount):
    with pytest.raises(AmountInvalid):
        payload(Receiver(IdKind.PHONE, "0812345678"), amount)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("phone", "08123"),
        ("phone", "0212345678"),
        ("phone", "+1 812345678"),
        ("phone", "๐๘๑๒๓๔๕๖๗๘"),
        ("tax_id", "0994000123452"),
        ("tax_id", "099400012345"),
        ("ewallet", "12345678901234"),
        ("biller", "0994000123451"),
        ("biller", "09940001234510A"),
        ("phone", ""),
    ],
)
def test_a_number_that_promptpay_does_not_know_is_refused(kind, number):
    with pytest.raises(PromptPayIdInvalid):
        normalise(Receiver(IdKind(kind), number))


@pytest.mark.parametrize(
    ("twelve", "digit"),
    [("110170020345", 0), ("399410012345", 7), ("099400012345", 1), ("123456789012", 1)],
)
def test_the_thirteenth_digit(twelve, digit):
    assert check_digit(twelve) == digit
