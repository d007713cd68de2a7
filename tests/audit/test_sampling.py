"""The sample of a month: drawn by a seed that anybody can use again."""

import re
import subprocess
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit.sampling import draw, lot, sample_size
from cbt.config import ROOT

SEEDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
CODES = st.sets(st.from_regex(r"B-[0-9A-Z]{6}", fullmatch=True), max_size=150)


@given(st.integers(0, 100_000))
def test_a_sample_is_ten_or_one_in_ten_and_never_more_than_there_are(population):
    size = sample_size(population)
    assert size <= population
    assert size >= min(population, 10)
    assert size * 10 >= population
    assert size <= max(10, population // 10 + 1)


@given(SEEDS, CODES)
def test_the_order_in_which_bookings_come_does_not_matter(seed, codes):
    drawn = draw(seed, sorted(codes))
    assert drawn == draw(seed, sorted(codes, reverse=True)) == draw(seed, [*codes, *codes])
    assert len(set(drawn)) == len(drawn) == sample_size(len(codes))
    assert set(drawn) <= codes


@given(SEEDS, CODES)
def test_who_is_left_out_has_a_larger_lot_than_who_is_in(seed, codes):
    drawn = draw(seed, codes)
    left = codes - set(drawn)
    assert all(lot(seed, one) < lot(seed, other) for one in drawn for other in left)


@given(SEEDS, CODES, CODES)
def test_another_booking_only_pushes_out_never_reorders(seed, codes, more):
    """What stays of a sample stays in its order when more bookings are drawn from."""
    before, after = draw(seed, codes), draw(seed, codes | more)
    assert [each for each in after if each in before] == [each for each in before if each in after]


def test_each_booking_is_drawn_about_as_often_as_the_others():
    codes = [f"B-{number:06}" for number in range(40)]
    times = dict.fromkeys(codes, 0)
    for seed in range(2_000):
        for code in draw(f"{seed:032x}", codes):
            times[code] += 1
    assert min(times.values()) > 400  # 500 each on average
    assert max(times.values()) < 600


def test_the_shell_lines_of_the_page_draw_the_same(tmp_path):
    if which("sha256sum") is None:
        pytest.skip("no sha256sum on this machine")
    page = (ROOT / "docs" / "algorithms" / "sampling.md").read_text()
    block = re.search(r"(?:^    .*\n)+", page, re.M)
    assert block is not None
    seed = re.search(r"[0-9a-f]{32}", block[0])[0]
    codes = [f"B-{number:06}" for number in range(37)]
    (tmp_path / "bookings.txt").write_text("".join(f"{code}\n" for code in codes))
    told = subprocess.run(
        ["bash", "-c", block[0]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert tuple(line.split()[1] for line in told.stdout.splitlines()) == draw(seed, codes)
