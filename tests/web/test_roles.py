"""Each role against each route, as a table; and that nobody reads what is not theirs."""

import re

import pytest
from sqlalchemy import select

from cbt.bookings.models import Booking
from cbt.bookings.queries import get_booking
from cbt.bookings.references import BookingLinks
from cbt.bookings.vouchers import Voucher
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.people import services as people
from cbt.people.queries import find_sign_in
from cbt.people.roles import Grant, Role
from cbt.revenue.models import Settlement
from tests.site import NOW, SECRET
from tests.web.forms import sign_in

VISITOR, HOST, TREASURER, HOUSEHOLD = "visitor", "host", "treasurer", "household"
NEIGHBOUR, MENTOR, ADMIN, AGENCY, STRANGER, ROLELESS = (
    "neighbour",
    "mentor",
    "admin",
    "agency",
    "stranger",
    "roleless",
)
PEOPLE = {
    HOST: "host.buna-dara",
    TREASURER: "treasurer.buna-dara",
    HOUSEHOLD: "h03.buna-dara",
    NEIGHBOUR: "h01.buna-dara",
    MENTOR: "mentor",
    ADMIN: "admin",
    AGENCY: "agency",
    STRANGER: "host.ban-mok-ngam",
    ROLELESS: "roleless",
}
EVERYBODY = {VISITOR, *PEOPLE}
SIGNED_IN = set(PEOPLE)
HOSTS = {HOST, TREASURER}

# who may open what; everybody else is refused
TABLE = {
    "public.root": EVERYBODY,
    "public.home": EVERYBODY,
    "public.community": EVERYBODY,
    "public.experience": EVERYBODY,
    "public.hold_places": EVERYBODY,
    "public.join_line": EVERYBODY,
    "public.privacy": EVERYBODY,
    "public.fund_list": EVERYBODY,
    "public.fund": EVERYBODY,
    "public.transparency": EVERYBODY,
    "public.transparency_figures": EVERYBODY,
    "public.pieces": EVERYBODY,
    "public.sign_in": EVERYBODY,
    "public.sign_out": SIGNED_IN,
    "public.places": SIGNED_IN,
    "guest.booking": EVERYBODY,  # whoever holds the signed link
    "guest.save_details": EVERYBODY,
    "guest.choose_method": EVERYBODY,
    "guest.start_payment": EVERYBODY,
    "guest.attempt": EVERYBODY,
    "guest.attempt_state": EVERYBODY,
    "guest.report_transfer": EVERYBODY,
    "guest.act_as_bank": EVERYBODY,
    "guest.extend": EVERYBODY,
    "guest.spend_credit": EVERYBODY,
    "guest.change": EVERYBODY,
    "guest.quote_change": EVERYBODY,
    "guest.make_change": EVERYBODY,
    "guest.cancel": EVERYBODY,
    "guest.make_cancellation": EVERYBODY,
    "guest.dispute_no_show": EVERYBODY,
    "guest.waiting": EVERYBODY,
    "guest.leave_line": EVERYBODY,
    "guest.receipt": EVERYBODY,
    "guest.receipt_file": EVERYBODY,
    "guest.trip_file": EVERYBODY,
    "guest.voucher": EVERYBODY,
    "host.today": HOSTS,
    "host.booking_list": HOSTS,
    "host.booking": HOSTS,
    "host.receipt": HOSTS,
    "host.transfer_list": HOSTS,
    "host.confirm_transfer": HOSTS,
    "host.dismiss_look": HOSTS,
    "host.take_cash": HOSTS,
    "host.release_promise": HOSTS,
    "host.cash_page": HOSTS,
    "host.loss_page": HOSTS,
    "host.ask_correction": HOSTS,
    "host.agree_correction": HOSTS,
    "host.refuse_correction": HOSTS,
    "host.count_cash": HOSTS,
    "host.agree_count": HOSTS,
    "host.dismiss_count": HOSTS,
    "host.bank_cash": HOSTS,
    "host.decide_banked": HOSTS,
    "host.account_list": HOSTS,
    "host.account": {TREASURER},
    "host.save_account": {TREASURER},
    "host.arrange_account": {TREASURER},
    "host.set_limits": {TREASURER},
    "host.approve_account": HOSTS,
    "host.terms_list": HOSTS,
    "host.terms": HOSTS,
    "host.save_terms": HOSTS,
    "host.refuse_account": HOSTS,
    "host.withdraw_account": HOSTS,
    "host.save_mail": HOSTS,
    "host.refund_list": HOSTS,
    "host.approve_refund": HOSTS,
    "host.refuse_refund": HOSTS,
    "host.note_refund": HOSTS,
    "host.goodwill": HOSTS,
    "host.give_goodwill": HOSTS,
    "host.dispute": HOSTS,
    "host.send_evidence": HOSTS,
    "host.money_page": HOSTS,
    "host.money_file": HOSTS,
    "host.payout_list": HOSTS,
    "host.batch_list": HOSTS,
    "host.draft_batch": HOSTS,
    "host.batch": HOSTS,
    "host.approve_batch": HOSTS,
    "host.withdraw_batch": HOSTS,
    "host.payout_sheet": HOSTS,
    "host.payout_file": HOSTS,
    "host.payout_line": HOSTS,
    "host.note_payout": HOSTS,
    "host.stop_payout": HOSTS,
    "host.return_payout": HOSTS,
    "host.payee_list": HOSTS,
    "host.name_payee": HOSTS,
    "host.agree_payee": HOSTS,
    "host.refuse_payee": HOSTS,
    "host.fund_list": HOSTS,
    "host.fund": HOSTS,
    "host.contribute": HOSTS,
    "host.ask_claim": HOSTS,
    "host.set_ceiling": HOSTS,
    "host.claim": HOSTS,
    "host.claim_evidence": HOSTS,
    "host.approve_claim": HOSTS,
    "host.refuse_claim": HOSTS,
    "host.pay_claim": HOSTS,
    "host.loan_list": HOSTS,
    "host.ask_loan": HOSTS,
    "host.loan": HOSTS,
    "host.approve_loan": HOSTS,
    "host.refuse_loan": HOSTS,
    "host.pay_loan": HOSTS,
    "host.repay_loan": HOSTS,
    "host.waive_loan": HOSTS,
    "host.work_list": HOSTS,
    "host.close_work": {TREASURER},
    "host.try_event_again": HOSTS,
    "host.clear_suspense": {TREASURER},
    "host.statement_list": HOSTS,
    "host.read_statement": HOSTS,
    "host.match_list": HOSTS,
    "host.accept_line": HOSTS,
    "host.accept_certain": HOSTS,
    "host.set_lines_aside": HOSTS,
    "host.aside_list": HOSTS,
    "host.reopen_line": HOSTS,
    "host.departure": HOSTS,
    "host.record_work": HOSTS,
    "host.settle": HOSTS,
    "host.confirm_work": HOSTS,
    "host.answer_work_dispute": HOSTS,
    "host.assessment_list": {*HOSTS, MENTOR},
    "host.begin_assessment": {*HOSTS, MENTOR},
    "host.plan_action": HOSTS,
    "host.action_done": HOSTS,
    "host.assessment": {*HOSTS, MENTOR},
    "host.finish_assessment": {*HOSTS, MENTOR},
    "host.assessed_criterion": {*HOSTS, MENTOR},
    "host.score_criterion": {*HOSTS, MENTOR},
    "host.edition_list": {MENTOR},
    "host.enter_edition": {MENTOR},
    "host.fairness": {*HOSTS, MENTOR},
    "host.turn_list": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "host.task_turns": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "host.set_terms": HOSTS,
    "host.note_absence": HOSTS,
    "host.ask_swap": HOSTS,
    "host.agree_swap": HOSTS,
    "host.withdraw_turn": HOSTS,
    "host.asset_list": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "host.add_asset": HOSTS,
    "host.asset": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "host.record_shares": HOSTS,
    "host.decide_shares": HOSTS,
    "host.record_use": HOSTS,
    "host.decide_use": HOSTS,
    "host.week": HOSTS,
    "host.day": HOSTS,
    "host.more": HOSTS,
    "host.walk_in": HOSTS,
    "host.book": HOSTS,
    "host.book_guest": HOSTS,
    "host.record_preparation": HOSTS,
    "host.set_capacity": HOSTS,
    "host.set_sales": HOSTS,
    "host.ask_call_off": HOSTS,
    "host.confirm_call_off": HOSTS,
    "host.agree": HOSTS,
    "host.decline": HOSTS,
    "host.note_no_show": HOSTS,
    "host.rule_list": HOSTS,
    "host.add_rule": HOSTS,
    "host.add_departure": HOSTS,
    "host.rule": HOSTS,
    "host.change_rule": HOSTS,
    "host.ask_end_rule": HOSTS,
    "host.end_rule": HOSTS,
    "host.set_day": HOSTS,
    "host.rest_list": HOSTS,
    "host.add_rest": HOSTS,
    "host.end_rest": HOSTS,
    "host.thing_list": HOSTS,
    "host.add_thing": HOSTS,
    "host.thing": HOSTS,
    "host.set_thing_capacity": HOSTS,
    "host.set_slot": HOSTS,
    "host.needs": HOSTS,
    "host.set_needs": HOSTS,
    "host.season_list": HOSTS,
    "host.add_season": HOSTS,
    "host.code_list": HOSTS,
    "host.add_code": HOSTS,
    "host.feed_list": HOSTS,
    "host.add_feed": HOSTS,
    "host.read_feed": HOSTS,
    "host.remove_feed": HOSTS,
    "host.make_feed_address": HOSTS,
    "host.end_feed_address": HOSTS,
    "host.own_calendar": EVERYBODY,  # whoever holds the secret address
    "host.check_in": HOSTS,
    "host.check_in_party": HOSTS,
    "host.sync_check_ins": HOSTS,
    "host.check_in_worker": HOSTS,
    "host.day_sheet": HOSTS,
    "household.statement": {HOUSEHOLD, TREASURER, MENTOR},
    "household.line": {HOUSEHOLD, TREASURER, MENTOR},
    "policies.policy_list": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "policies.policy": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "policies.minutes": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "policies.proposal": {*HOSTS, HOUSEHOLD, NEIGHBOUR, MENTOR},
    "policies.begin": HOSTS,
    "policies.draft": HOSTS,
    "policies.save_draft": HOSTS,
    "policies.propose": HOSTS,
    "policies.drop": HOSTS,
    "policies.adoption": HOSTS,
    "policies.adopt": HOSTS,
    "household.work": {HOUSEHOLD, TREASURER, MENTOR},
    "household.confirm_work": {HOUSEHOLD},
    "household.dispute_work": {HOUSEHOLD},
    "household.turns": {HOUSEHOLD, TREASURER, MENTOR},
    "household.skip_turn": {HOUSEHOLD},
    "household.ask_swap": {HOUSEHOLD},
    "household.agree_swap": {HOUSEHOLD},
    "household.proof": {HOUSEHOLD, TREASURER, MENTOR},
    "household.paper": {HOUSEHOLD, TREASURER, MENTOR},
    "household.text_file": {HOUSEHOLD, TREASURER, MENTOR},
    "household.dispute": {HOUSEHOLD, TREASURER, MENTOR},
    "household.send_dispute": {HOUSEHOLD},
    "household.answer_dispute": {HOUSEHOLD},
    "host.close_page": HOSTS,
    "host.settle_page": HOSTS,
    "host.settle_all": HOSTS,
    "host.prepare_close": {TREASURER},
    "host.confirm_close": HOSTS,
    "host.withdraw_close": HOSTS,
    "host.period": HOSTS,
    "host.sign_month": {TREASURER},
    "host.replace_key": {TREASURER},
    "host.period_notice": HOSTS,
    "host.bundle": {TREASURER},
    "host.line_list": HOSTS,
    "host.answer_line": HOSTS,
    "mentor.month_page": {MENTOR},
    "mentor.sign_month": {MENTOR},
    "mentor.replace_key": {MENTOR},
    "mentor.bundle": {MENTOR},
    "mentor.declare_tie": {MENTOR},
    "mentor.sample_page": {MENTOR},
    "mentor.draw_sample": {MENTOR},
    "mentor.look_page": {MENTOR},
    "mentor.save_look": {MENTOR},
    "mentor.run_audit": {MENTOR},
    "mentor.case_list": {MENTOR},
    "mentor.new_case": {MENTOR},
    "mentor.open_case": {MENTOR},
    "mentor.case_page": {MENTOR},
    "mentor.close_case": {MENTOR},
    "mentor.reopen_case": {MENTOR},
    "mentor.raise_finding": {MENTOR},
    "mentor.raise_risk": {MENTOR},
    "mentor.raise_rule": {MENTOR},
    "mentor.case_evidence": {MENTOR},
    "host.finding_list": HOSTS,
    "host.finding": HOSTS,
    "host.answer_finding": HOSTS,
    "host.finding_evidence": HOSTS,
    "mentor.line_list": {MENTOR},
    "mentor.decide_line": {MENTOR},
    "public.verify_any": EVERYBODY,
    "public.verify": EVERYBODY,
    "public.verify_keys": EVERYBODY,
    "public.verify_program": EVERYBODY,
    "public.offline_verifier": EVERYBODY,
    "public.verify_worker": EVERYBODY,
    "household.payouts": {HOUSEHOLD, TREASURER, MENTOR},
    "household.payout": {HOUSEHOLD, TREASURER, MENTOR},
    "household.funds": {HOUSEHOLD, TREASURER, MENTOR},
    "household.confirm_payout": {HOUSEHOLD},
    "household.name_payee": {HOUSEHOLD},
    "household.agree_payee": {HOUSEHOLD},
    "household.refuse_payee": {HOUSEHOLD},
    "household.ask_claim": {HOUSEHOLD},
    "household.confirm_claim": {HOUSEHOLD},
    "household.claim_evidence": {HOUSEHOLD},
    "household.agree_counted": {HOUSEHOLD},
    "household.take_back_counted": {HOUSEHOLD},
    "mentor.communities": {MENTOR},
    "mentor.audit": {MENTOR},
    "mentor.find_booking": {MENTOR},
    "mentor.booking": {MENTOR},
    "mentor.departure": {MENTOR},
    "agency.totals": {AGENCY, ADMIN},
    "agency.totals_csv": {AGENCY, ADMIN},
    "agency.totals_xlsx": {AGENCY, ADMIN},
    "admin.appoint_viewer": {ADMIN},
    "admin.end_viewer": {ADMIN},
    "admin.overview": {ADMIN},
    "admin.assign_mentor": {ADMIN},
    "admin.end_mentor": {ADMIN},
    "admin.wage_list": {ADMIN},
    "admin.record_wage": {ADMIN},
    "font": EVERYBODY,
    "healthz": EVERYBODY,
    "webhooks.receive": EVERYBODY,  # whoever can sign
    "readyz": EVERYBODY,
}


@pytest.fixture
def addresses(sample_app):
    """A real address for every endpoint, at Buna Dara and its household H03."""
    community = get_community(db.session(), "buna-dara")
    paid = db.session.scalars(
        select(Booking.reference).where(
            Booking.community_id == community.id, Booking.state == "settled"
        )
    ).first()
    booking = get_booking(db.session(), paid)
    settled = db.session.scalar(
        select(Settlement.departure_id).where(Settlement.community_id == community.id)
    )
    links = BookingLinks(SECRET)
    values = {
        "lang": "en",
        "slug": "buna-dara",
        "experience": "mangrove-boat",
        "household": "H03",
        "token": links.sign(booking.reference, booking.trip.ends_at),
        "code": sign_voucher(sample_app, booking),
        "reference": booking.reference,
        "departure_id": settled,
        "number": 1,
        "attempt_id": 1,
        "refund_id": 1,
        "item_id": 1,
        "transaction_id": 1,
        "line_id": 1,
        "look_id": 1,
        "count_id": 1,
        "banked_id": 1,
        "provider": "promptpay",
        "proposal_id": 1,
        "dispute_id": 1,
        "month": "2026-10",
        "run_id": 1,
        "nth": 0,
        "risk": "cash",
        "rule": "PRD-05",
        "place": 1,
        "evidence_id": 1,
        "entry": 1,
        "leg": 1,
        "answer": "accept",
        "rule_id": 1,
        "rest_id": 1,
        "thing_id": 1,
        "option_id": 1,
        "feed_id": 1,
        "draft_id": 1,
        "step": "name",
        "task": "boat",
        "event_id": 1,
        "asset_id": 1,
        "correction_id": 1,
        "use_id": 1,
        "payee_id": 1,
        "fund": "welfare",
        "claim_id": 1,
        "loan_id": 1,
        "assessment_id": 1,
        "person_id": 1,
        "action_id": 1,
        "criterion": "1.8",
        "community": "buna-dara",
        "name": "sarabun-400-1.woff2",
    }
    people.add_person("roleless", "Nobody", "mangrove-2569", "th", NOW)
    found = {}
    for rule in sample_app.url_map.iter_rules():
        if rule.endpoint != "static":
            method = "GET" if "GET" in rule.methods else "POST"
            address = rule.build({name: values[name] for name in rule.arguments})[1]
            found[rule.endpoint] = (method, address)
    return found


def sign_voucher(app, booking):
    trip = booking.trip
    shown = Voucher(booking.reference, trip.id, trip.starts_on, booking.places)
    return app.extensions["vouchers"].sign(shown)


def test_the_table_names_every_route(addresses):
    assert set(addresses) == set(TABLE)


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_each_route_answers_each_role_as_the_table_says(sample_app, addresses, who):
    sample_app.config["WTF_CSRF_ENABLED"] = False  # a missing token would hide who is refused
    client = sample_app.test_client()
    if who in PEOPLE:
        assert sign_in_plainly(client, PEOPLE[who]).status_code == 303
    for endpoint in sorted(TABLE, key=lambda name: name == "public.sign_out"):
        method, address = addresses[endpoint]
        answer = client.open(address, method=method)
        if who in TABLE[endpoint]:
            assert not is_refusal(answer), (endpoint, who, answer.status)
        else:
            assert is_refusal(answer), (endpoint, who, answer.status)


def sign_in_plainly(client, name):
    fields = {"sign_in_name": name, "password": "mangrove-2569"}
    return client.post("/en/sign-in", data=fields)


def is_refusal(answer):
    sent_to_sign_in = answer.status_code == 303 and "/sign-in" in answer.location
    return answer.status_code == 403 or sent_to_sign_in


@pytest.fixture
def household(client):
    sign_in(client, "h03.buna-dara")
    return client


@pytest.mark.parametrize(
    "page",
    ["", "/departures/{}", "/payouts", "/funds"],
    ids=["statement", "line", "payouts", "funds"],
)
def test_a_household_cannot_open_anothers_statement(household, page):
    page = page.format(db.session.scalar(select(Settlement.departure_id)))
    assert household.get(f"/en/household/buna-dara/H03{page}").status_code in (200, 404)
    for code in ("H01", "H99"):
        assert household.get(f"/en/household/buna-dara/{code}{page}").status_code in (403, 404)
    assert household.get(f"/en/household/buna-dara/H01{page}").status_code == 403
    assert household.get(f"/en/household/ban-thep-fai/T1{page}").status_code == 403


def test_a_household_cannot_open_a_line_of_another_community(sample_app):
    """The treasurer of one community asks for a departure of another, by its number."""
    client = sample_app.test_client()
    sign_in(client, "treasurer.buna-dara")
    other = get_community(db.session(), "ban-thep-fai").id
    theirs = select(Settlement.departure_id).where(Settlement.community_id == other)
    departure_id = db.session.scalar(theirs)
    for page in (
        f"/en/household/buna-dara/H03/departures/{departure_id}",
        f"/en/host/buna-dara/departures/{departure_id}",
    ):
        answer = client.get(page)
        assert answer.status_code == 404
        assert "Thep Fai" not in answer.text


def test_a_host_cannot_open_another_communitys_booking(client):
    sign_in(client, "host.ban-thep-fai")
    own = get_community(db.session(), "buna-dara").id
    reference = db.session.scalar(select(Booking.reference).where(Booking.community_id == own))
    assert client.get(f"/en/host/ban-thep-fai/bookings/{reference}").status_code == 404
    assert client.get(f"/en/host/buna-dara/bookings/{reference}").status_code == 403


def test_a_mentor_reads_only_the_communities_assigned(client):
    sign_in(client, "mentor")
    page = client.get("/en/mentor").text
    assert "Buna Dara" in page
    assert "Mok Ngam" not in page
    assert client.get("/en/mentor/ban-mok-ngam").status_code == 403


def test_an_ended_role_opens_nothing_any_more(client):
    sign_in(client, "mentor")
    assert client.get("/en/mentor/buna-dara").status_code == 200
    person = find_sign_in(db.session(), "mentor").person_id
    community = get_community(db.session(), "buna-dara").id
    people.end_role(person, Grant(Role.MENTOR, community), NOW)
    assert client.get("/en/mentor/buna-dara").status_code == 403


def test_the_caretaker_assigns_a_mentor_and_ends_it(sample_app):
    admin, mentor = sample_app.test_client(), sample_app.test_client()
    sign_in(admin, "admin")
    sign_in(mentor, "mentor")
    page = admin.get("/en/admin").text
    person = re.search(r'<option value="(\d+)"', page)[1]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    data = {"csrf_token": token, "person": person}
    assert admin.post("/en/admin/mentors/ban-mok-ngam", data=data).status_code == 303
    assert mentor.get("/en/mentor/ban-mok-ngam").status_code == 200
    assert admin.post("/en/admin/mentors/ban-mok-ngam/end", data=data).status_code == 303
    assert mentor.get("/en/mentor/ban-mok-ngam").status_code == 403
    host = str(find_sign_in(db.session(), "host.buna-dara").person_id)
    refused = admin.post("/en/admin/mentors/buna-dara", data={**data, "person": host})
    assert refused.status_code == 404
