"""Pages of work, turns and what is owned together, without script."""

import io
import re
from hashlib import sha256

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.communities.models import OwnershipDecision, ShareChange
from cbt.db import db
from cbt.revenue.models import ServiceRecord
from cbt.revenue.work_models import RotationEvent, WorkAnswer, WorkConfirmation, WorkDispute
from tests.site import NOW
from tests.web.forms import post, sign_in, token

HOST = "/en/host/buna-dara"
HOME = "/en/household/buna-dara/H03"


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def people(sample_app):
    """A client each, signed in: host, treasurer, two households, a mentor."""
    names = {
        "host": "host.buna-dara",
        "treasurer": "treasurer.buna-dara",
        "h03": "h03.buna-dara",
        "h01": "h01.buna-dara",
        "mentor": "mentor",
    }
    clients = {}
    for role, name in names.items():
        clients[role] = sample_app.test_client()
        sign_in(clients[role], name)
    return clients


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def unsettled(host):
    return re.search(rf'href="({HOST}/departures/\d+)"', host.get(HOST).text)[1]


def shown(page):
    return re.search(r'name="shown" value="([0-9a-f]{64})"', page)[1]


def record(client, address, *households):
    fields = {}
    for number, code in enumerate(households):
        fields |= {f"rows-{number}-household": code, f"rows-{number}-task": "boat"}
        fields |= {f"rows-{number}-units": "1", f"rows-{number}-minutes": "60"}
    return post(client, address, do="save", **fields)


# --- the work record -----------------------------------------------------------------------------


def upcoming(host):
    """A departure with guests of which nothing is written down yet."""
    for address in re.findall(rf'href="({HOST}/departures/\d+)"', host.get(HOST).text):
        page = host.get(address).text
        if "Filled in from the turns" in page:
            return page
    raise AssertionError("no departure is filled in")


def test_a_trip_without_a_record_is_filled_in_from_the_turns(people):
    page = upcoming(people["host"])
    rows = re.findall(r'name="rows-\d+-household".*?</select>', page, re.S)
    chosen = [re.search(r'<option selected value="(H\d+)"', row) for row in rows]
    assert [each for each in chosen if each]


def test_steps_up_and_down_work_without_script_and_save_nothing(people):
    host = people["host"]
    address = unsettled(host)
    before = count(ServiceRecord)
    fields = {"rows-0-household": "H01", "rows-0-task": "boat", "rows-0-minutes": "60"}
    page = post(host, address, **fields, **{"rows-0-units": "2"}, do="more rows-0-units").text
    assert re.search(r'name="rows-0-units"[^>]*value="3"', page)
    page = post(host, address, **fields, **{"rows-0-units": "0"}, do="less rows-0-units").text
    assert re.search(r'name="rows-0-units"[^>]*value="0"', page)
    page = post(host, address, **fields, **{"rows-0-units": "1"}, do="more rows-0-minutes").text
    assert re.search(r'name="rows-0-minutes"[^>]*value="90"', page)
    assert count(ServiceRecord) == before


def test_a_household_confirms_its_part_and_only_its_own(people):
    address = unsettled(people["host"])
    assert record(people["host"], address, "H03", "H01").status_code == 303
    page = people["h03"].get(f"{HOME}/work").text
    action = re.search(rf'action="({HOME}/work/\d+/confirm[^"]*)"', page)[1].replace("&amp;", "&")
    before = count(WorkConfirmation)
    answer = people["h03"].post(action, data={"csrf_token": token(page), "shown": shown(page)})
    assert answer.status_code == 303
    assert count(WorkConfirmation) == before + 1
    assert "confirmed by the household" in people["h03"].get(f"{HOME}/work").text
    assert "Not confirmed by a second person: H01." in people["host"].get(address).text


def test_a_household_disputes_and_another_one_than_the_recorder_answers(people):
    host, treasurer, h03 = people["host"], people["treasurer"], people["h03"]
    address = unsettled(host)
    record(host, address, "H03")
    departure = address.rpartition("/")[2]
    sent = post(
        h03, f"{HOME}/work/{departure}/dispute", f"{HOME}/work", reason="Two trips, not one"
    )
    assert sent.status_code == 303
    assert count(WorkDispute) == 1
    page = host.get(address).text
    assert "Two trips, not one" in page
    assert "Whoever wrote it down or disputes it cannot answer." in page
    assert "must answer by" in page
    dispute = f"{address}/disputes/1"
    assert post(host, dispute, address, words="No").status_code == 409
    assert post(treasurer, dispute, address, words=" ").status_code == 422
    assert count(WorkAnswer) == 0
    assert post(treasurer, dispute, address, words="You are right").status_code == 303
    assert "You are right" in h03.get(f"{HOME}/work").text


def test_a_household_that_was_left_out_says_so(people):
    host, h03 = people["host"], people["h03"]
    address = unsettled(host)
    record(host, address, "H01")
    assert "Trips on which only others stand" in h03.get(f"{HOME}/work").text
    departure = address.rpartition("/")[2]
    sent = post(h03, f"{HOME}/work/{departure}/dispute", f"{HOME}/work", reason="We steered too")
    assert sent.status_code == 303
    assert "We steered too" in h03.get(f"{HOME}/work").text


def test_others_read_a_households_work_and_say_nothing(people):
    for reader in ("treasurer", "mentor"):
        page = people[reader].get(f"{HOME}/work").text
        assert "It is right" not in page
        assert "It is wrong" not in page


# --- turns ---------------------------------------------------------------------------------------


def test_turns_are_open_to_all_and_written_down_by_hosts(people):
    for reader in ("host", "treasurer", "h03", "mentor"):
        page = people[reader].get(f"{HOST}/turns/boat").text
        assert "Balance of turns" in page
        assert ("Who takes part" in page) is (reader in ("host", "treasurer"))
        assert people[reader].get(f"{HOST}/turns").status_code == 200
    assert people["host"].get(f"{HOST}/turns/sleeping").status_code == 404


def first_in_queue(client, task="boat"):
    page = client.get(f"{HOST}/turns/{task}").text
    queue = page.partition('id="queue"')[2].partition("</ol>")[0]
    return re.findall(r'class="as-is">(H\d+) ', queue) or re.findall(r">(H\d+)<", queue)


def test_a_skip_takes_the_household_out_of_todays_queue_until_it_is_taken_back(people):
    host = people["host"]
    first = first_in_queue(host)[0]
    page = f"{HOST}/turns/boat"
    day = NOW.date().isoformat()
    sent = post(
        host, f"{page}/absences", page, household=first, first_on=day, reason="sick", do="skip"
    )
    assert sent.status_code == 303
    assert first not in first_in_queue(host)
    number = db.session.scalar(select(func.max(RotationEvent.id)))
    assert post(host, f"{HOST}/turns/events/{number}/withdraw", page).status_code == 303
    assert first_in_queue(host)[0] == first


def test_a_skip_that_is_too_long_is_refused_where_it_was_typed(people):
    before = count(RotationEvent)
    page = f"{HOST}/turns/boat"
    sent = post(
        people["host"],
        f"{page}/absences",
        page,
        household="H01",
        first_on="2569-11-23",
        last_on="2569-12-30",
        reason="sick",
        do="skip",
    )
    assert sent.status_code == 422
    assert "a skip with a reason lasts 14 days at most" in sent.text
    assert count(RotationEvent) == before


def test_two_households_swap_once_the_other_one_agreed(people):
    h03, h01 = people["h03"], people["h01"]
    day = NOW.date().isoformat()
    before = first_in_queue(h03)
    asked = post(h03, f"{HOME}/turns/boat/swap", f"{HOME}/turns", first_on=day, other="H01")
    assert asked.status_code == 303
    assert first_in_queue(h03) == before
    number = db.session.scalar(select(func.max(RotationEvent.id)))
    own = post(h03, f"{HOME}/turns/swaps/{number}/agree", f"{HOME}/turns")
    assert own.status_code == 404
    other = HOME.replace("H03", "H01")
    assert "asks you to swap" in h01.get(f"{other}/turns").text
    assert post(h01, f"{other}/turns/swaps/{number}/agree", f"{other}/turns").status_code == 303
    after = first_in_queue(h03)
    one, two = before.index("H01"), before.index("H03")
    assert (after[one], after[two]) == ("H03", "H01")


def test_a_household_skips_its_own_turn(people):
    day = NOW.date().isoformat()
    sent = post(
        people["h03"], f"{HOME}/turns/boat/skip", f"{HOME}/turns", first_on=day, reason="family"
    )
    assert sent.status_code == 303
    assert "Your household is not in the queue today." in people["h03"].get(f"{HOME}/turns").text


def test_who_takes_part_is_written_down_from_a_day_on(people):
    page = f"{HOST}/turns/craft"
    fields = {"household": "H05", "capacity": "2", "weekdays": ["0", "6"], "first_on": "2026-11-23"}
    assert post(people["host"], f"{page}/terms", page, **fields).status_code == 303
    assert "H05" in first_in_queue(people["host"], "craft")
    refused = post(people["host"], f"{page}/terms", page, **{**fields, "capacity": "51"})
    assert refused.status_code == 422


# --- owned together ------------------------------------------------------------------------------


def send_shares(client, page, **fields):
    got = client.get(page).text
    data = {
        "csrf_token": token(got),
        "kind": "transfer",
        "giver": "H01",
        "taker": "H05",
        "shares": "10",
        "effective_on": "2026-11-24",
        "document": "Minutes of 23 November",
        "file": (io.BytesIO(b"a photograph"), "minutes.jpg"),
        **fields,
    }
    return client.post(f"{page}/shares", data=data, content_type="multipart/form-data")


def test_a_change_of_shares_is_written_down_by_one_and_confirmed_by_another(people):
    host, treasurer = people["host"], people["treasurer"]
    page = re.search(rf'href="({HOST}/assets/\d+)"', host.get(f"{HOST}/assets").text)[1]
    assert send_shares(host, page).status_code == 303
    change = db.session.scalars(select(ShareChange).order_by(ShareChange.id.desc())).first()
    assert change.document_sha256 == sha256(b"a photograph").hexdigest()
    assert "waits for a second person" in host.get(page).text
    decide = f"{page}/shares/{change.id}"
    before = count(OwnershipDecision)
    assert post(host, decide, page, do="confirm").status_code == 409
    assert count(OwnershipDecision) == before
    assert post(treasurer, decide, page, do="confirm").status_code == 303
    for reader in ("h03", "mentor"):
        seen = people[reader].get(page).text
        assert "Minutes of 23 November" in seen
        assert "Write down a change of shares" not in seen


def test_a_change_without_a_file_or_of_more_than_is_held_is_refused_in_words(people):
    host = people["host"]
    page = re.search(rf'href="({HOST}/assets/\d+)"', host.get(f"{HOST}/assets").text)[1]
    before = count(ShareChange)
    without = send_shares(host, page, file=(io.BytesIO(b""), ""))
    assert without.status_code == 422
    assert "a document must prove it" in without.text
    more = send_shares(host, page, shares="41")
    assert more.status_code == 422
    assert "more shares than it held" in more.text
    assert count(ShareChange) == before


def test_something_owned_together_is_added_with_the_activity_that_earns_by_it(people):
    host, treasurer = people["host"], people["treasurer"]
    page = f"{HOST}/assets"
    fields = {"kind": "boat", "title_th": "เรือใหญ่", "begins_on": "2026-11-01", "experience": ""}
    added = post(host, page, **fields)
    assert added.status_code == 303
    asset = re.sub(r"^https?://[^/]+", "", added.location)
    experience = re.search(r'<option value="(\d+)"', host.get(asset).text.partition('id="uses"')[2])
    about = {"experience": experience[1], "ends": "", "effective_on": "2026-12-01"}
    used = post(host, f"{asset}/uses", asset, **about)
    assert used.status_code == 303
    action = re.search(rf'action="({asset}/uses/\d+)"', treasurer.get(asset).text)[1]
    assert post(treasurer, action, asset, do="confirm").status_code == 303
    twice = post(host, page, **fields)
    assert twice.status_code == 422
    assert "it is recorded already" in twice.text
