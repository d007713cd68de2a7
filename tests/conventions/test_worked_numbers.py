"""The numbers in docs/algorithms are what the code gives."""

import re

import pytest

from cbt.config import ROOT
from cbt.payments.providers.demo import DemoProvider
from cbt.revenue.policy import DEFAULT, Bucket
from cbt.revenue.sharing import share
from cbt.revenue.split import Cost, split


def tables(name):
    """Every table of a page of whole numbers, as [heading, ...] and rows of ints."""
    page = (ROOT / "docs" / "algorithms" / name).read_text()
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        heading, _line, *rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()
        ]
        found.append((heading, [[int(cell) for cell in row] for row in rows]))
    return found


BUCKETS, WHOLE = tables("split.md")
[SHARES] = tables("sharing.md")


@pytest.mark.parametrize("row", BUCKETS[1], ids=str)
def test_the_default_policy(row):
    assert BUCKETS[0] == ["distributable", *Bucket]
    assert [part.amount_satang for part in split(row[0], [], 0, DEFAULT)[2:]] == row[1:]


@pytest.mark.parametrize("row", WHOLE[1], ids=str)
def test_a_whole_booking(row):
    net, insurance = row[:2]
    fee = DemoProvider().estimate_fee(net)
    parts = split(net, [Cost("insurance", insurance)], fee, DEFAULT)
    assert [part.code.replace("_", " ") for part in parts] == WHOLE[0][1:]
    assert [part.amount_satang for part in parts] == row[1:]
    assert sum(row[1:]) == net


@pytest.mark.parametrize("row", SHARES[1], ids=str)
def test_a_sharing_out(row):
    households = ["H01", "H02", "H03"]
    weights = dict(zip(households, row[2:5], strict=True))
    assert list(share(row[0], weights, households, row[1]).values()) == row[5:]
    assert sum(row[5:]) == row[0]
