"""Amounts in words: named cases, and every amount read back by a parser written apart from the rule."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.baht_words import LIMIT_SATANG, in_english, in_thai
from cbt.errors import AmountInvalid

CASES = [
    (0, "ศูนย์บาทถ้วน", "Zero baht"),
    (1, "หนึ่งสตางค์", "One satang"),
    (11, "สิบเอ็ดสตางค์", "Eleven satang"),
    (25, "ยี่สิบห้าสตางค์", "Twenty-five satang"),
    (100, "หนึ่งบาทถ้วน", "One baht"),
    (101, "หนึ่งบาทหนึ่งสตางค์", "One baht and one satang"),
    (1_000, "สิบบาทถ้วน", "Ten baht"),
    (1_100, "สิบเอ็ดบาทถ้วน", "Eleven baht"),
    (2_000, "ยี่สิบบาทถ้วน", "Twenty baht"),
    (2_121, "ยี่สิบเอ็ดบาทยี่สิบเอ็ดสตางค์", "Twenty-one baht and twenty-one satang"),
    (10_000, "หนึ่งร้อยบาทถ้วน", "One hundred baht"),
    (10_100, "หนึ่งร้อยเอ็ดบาทถ้วน", "One hundred and one baht"),
    (11_000, "หนึ่งร้อยสิบบาทถ้วน", "One hundred and ten baht"),
    (100_100, "หนึ่งพันเอ็ดบาทถ้วน", "One thousand and one baht"),
    (150_000, "หนึ่งพันห้าร้อยบาทถ้วน", "One thousand five hundred baht"),
    (
        228_050,
        "สองพันสองร้อยแปดสิบบาทห้าสิบสตางค์",
        "Two thousand two hundred and eighty baht and fifty satang",
    ),
    (1_200_000, "หนึ่งหมื่นสองพันบาทถ้วน", "Twelve thousand baht"),
    (10_000_000, "หนึ่งแสนบาทถ้วน", "One hundred thousand baht"),
    (100_000_000, "หนึ่งล้านบาทถ้วน", "One million baht"),
    (100_000_100, "หนึ่งล้านเอ็ดบาทถ้วน", "One million and one baht"),
    (1_100_000_000, "สิบเอ็ดล้านบาทถ้วน", "Eleven million baht"),
    (2_100_002_100, "ยี่สิบเอ็ดล้านยี่สิบเอ็ดบาทถ้วน", "Twenty-one million and twenty-one baht"),
    (10**13, "หนึ่งแสนล้านบาทถ้วน", "One hundred billion baht"),
    (10**14, "หนึ่งล้านล้านบาทถ้วน", "One trillion baht"),
    (10**14 + 100, "หนึ่งล้านล้านเอ็ดบาทถ้วน", "One trillion and one baht"),
]


@pytest.mark.parametrize(("satang", "thai", "english"), CASES)
def test_an_amount_in_words(satang, thai, english):
    assert in_thai(satang) == thai
    assert in_english(satang) == english


@pytest.mark.parametrize("satang", [-1, LIMIT_SATANG])
@pytest.mark.parametrize("say", [in_thai, in_english])
def test_what_has_no_words_is_refused(say, satang):
    with pytest.raises(AmountInvalid):
        say(satang)


# --- reading words back, by another way: from left to right, word by word ------------------------

THAI_DIGITS = {
    **dict.fromkeys(["เอ็ด", "หนึ่ง"], 1),
    **dict.fromkeys(["ยี่", "สอง"], 2),
    **{word: n for n, word in enumerate(["สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า"], 3)},
}
THAI_PLACES = {"สิบ": 10, "ร้อย": 100, "พัน": 1_000, "หมื่น": 10_000, "แสน": 100_000}
THAI_WORD = re.compile("|".join([*THAI_DIGITS, *THAI_PLACES, "ล้าน", "ศูนย์"]))


def read_thai_number(text):
    total, digit, at = 0, 0, 0
    for match in THAI_WORD.finditer(text):
        assert match.start() == at, text
        at, word = match.end(), match[0]
        if word in THAI_DIGITS:
            digit = THAI_DIGITS[word]
        elif word in THAI_PLACES:
            total, digit = total + (digit or 1) * THAI_PLACES[word], 0
        elif word == "ล้าน":
            total, digit = (total + digit) * 1_000_000, 0
    assert at == len(text), text
    return total + digit


def read_thai(text):
    match = re.fullmatch("(?:(.+)บาท)?(?:ถ้วน|(.+)สตางค์)", text)
    return sum(
        read_thai_number(words) * worth
        for words, worth in ((match[1], 100), (match[2], 1))
        if words is not None
    )


ENGLISH = {
    word: n
    for n, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    word: 10 * n
    for n, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def read_english_number(text):
    total, group = 0, 0
    for word in re.split(r"[ -]", text):
        if word == "hundred":
            group *= 100
        elif word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word != "and":
            group += ENGLISH[word]
    return total + group


def read_english(text):
    match = re.fullmatch("(?:(.+) baht)?(?: and )?(?:(.+) satang)?", text.lower())
    return sum(
        read_english_number(words) * worth
        for words, worth in ((match[1], 100), (match[2], 1))
        if words is not None
    )


AMOUNTS = st.one_of(
    st.integers(0, 10**13),
    st.integers(0, 20_000),
    st.integers(0, 10**11).map(lambda baht: baht * 100),
    st.lists(st.sampled_from([0, 0, 1, 1, 2, 9]), min_size=1, max_size=13).map(
        lambda digits: int("".join(map(str, digits)))
    ),
)


@given(AMOUNTS)
def test_the_words_read_back_to_the_same_satang(satang):
    assert read_thai(in_thai(satang)) == satang
    assert read_english(in_english(satang)) == satang


@given(AMOUNTS, AMOUNTS)
def test_two_amounts_never_have_the_same_words(one, other):
    assert (in_thai(one) == in_thai(other)) == (one == other)
    assert (in_english(one) == in_english(other)) == (one == other)


def test_every_small_amount_reads_back():
    for satang in range(200_200):
        assert read_thai(in_thai(satang)) == satang


def test_thai_never_says_one_ten_two_ten_or_a_lone_eleventh():
    for baht in range(1, 2_000):
        words = in_thai(baht * 100)
        assert not re.search("หนึ่งสิบ|สองสิบ", words)
        assert not words.startswith("เอ็ด")
        assert words.endswith("บาทถ้วน")
