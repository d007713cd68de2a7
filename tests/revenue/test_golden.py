"""Policies of the first version give the same texts, satang, reasons and fingerprints for ever.

The vectors were written by the release that knew the first version alone. Never write them again.
"""

import json
from datetime import date
from pathlib import Path

import pytest

from cbt import errors
from cbt.ledger.entries import Draft
from cbt.revenue.policy import Bucket, Task, canonical, identity, parse
from cbt.revenue.posting import BookingFacts, SharingFacts, sharing_draft, split_draft
from cbt.revenue.sharing import Work
from cbt.revenue.split import Borne, Cost

FILE = Path(__file__).parent / "golden" / "version_1.jsonl"
VECTORS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def test_there_are_two_hundred_vectors():
    assert len(VECTORS) == 200


def legs(draft: Draft) -> list[list[str | int]]:
    return [[leg.source, leg.target, leg.amount_satang, leg.rule] for leg in draft.legs]


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_the_first_version_is_split_and_shared_out_as_ever(number):
    vector = VECTORS[number]
    policy = parse(vector["policy"])
    assert canonical(policy) == vector["policy"]
    assert identity(vector["policy"]) == vector["identity"]
    on = date(2027, 1, 1 + number % 28)
    booking = BookingFacts(
        reference=f"B-{number:04}",
        service_on=on,
        captured_satang=vector["net"],
        payment_fee_satang=vector["fee"],
        costs=tuple(Cost(*each) for each in vector["costs"]),
        policy=policy,
        discount=borne(vector["discount"]),
        preparation_satang=vector["preparation"],
    )
    if isinstance(vector["split"], str):
        with pytest.raises(getattr(errors, vector["split"])):
            split_draft(booking, "golden")
    else:
        split = split_draft(booking, "golden")
        assert legs(split) == vector["split"]
        assert split.input_hash == vector["split_facts"]
    work = tuple(Work(household, Task(task), n, 60) for household, task, n in vector["work"])
    sharing = sharing_draft(
        SharingFacts(
            departure_id=number + 1,
            service_on=on,
            number=number + 1,
            pools=((policy, vector["pool"]),),
            work=work,
            register=tuple(sorted({each.household for each in work})),
            prepared=tuple((code, amount) for code, amount in vector["prepared"]),
        ),
        "golden",
    )
    assert legs(sharing) == vector["sharing"]
    assert sharing.input_hash == vector["sharing_facts"]


def borne(discount: list | None) -> Borne | None:
    return Borne(discount[1], Bucket(discount[0])) if discount else None
