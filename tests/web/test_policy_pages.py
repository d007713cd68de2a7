"""The pages of policies: drafted step by step, read by every member, adopted with minutes."""

import re
from datetime import timedelta
from html import unescape
from io import BytesIO
from urllib.parse import unquote

import pytest
from sqlalchemy import func, select

from cbt.clock import utc_now, village_day
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.i18n import set_language
from cbt.people.roles import Grant, Role
from cbt.revenue import proposals, resolutions
from cbt.revenue.adoption import UsesNature
from cbt.revenue.models import (
    MinutesFile,
    PolicyDraft,
    PolicyProposal,
    PolicyResolution,
    PolicyVersion,
)
from cbt.revenue.policy import Bucket, Limits, ProviderRule
from cbt.revenue.split import Bound, Part, PartKind
from cbt.revenue.templates import TEMPLATES
from cbt.web.labels import part_sentence
from cbt.web.policies import views
from tests.revenue import closing
from tests.web.forms import a_browser, post, sign_in, token

AT = "/en/policies/buna-dara"
PDF = b"%PDF-1.7 minutes"


@pytest.fixture
def host(client):
    sign_in(client, "host.buna-dara")
    return client


def words(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text)))


def the_draft():
    db.session.rollback()
    community = get_community(db.session(), "buna-dara")
    return resolutions.list_drafts(db.session(), community.id)[-1]


def begin(client, template="default"):
    answer = post(client, f"{AT}/drafts", AT, template=template)
    assert answer.status_code == 303
    return the_draft()


def keep(client, draft, step, **fields):
    """Send one step of the wizard; what it shows is kept but for what is given."""
    address = f"{AT}/drafts/{draft.id}/{step}"
    page = client.get(address).text
    shown = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* type="text" value="([^"]*)"', page))
    chosen = re.findall(r'<input checked[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page)
    picked = re.findall(
        r'<select[^>]* name="([^"]+)".*?<option selected value="([^"]*)"', page, re.S
    )
    return client.post(
        address, data={**shown, **dict(chosen), **dict(picked), "csrf_token": token(page), **fields}
    )


def proposed(answer=UsesNature.NO, **changes):
    """A proposal at Buna Dara, made through the use cases; its id."""
    community = get_community(db.session(), "buna-dara")
    now = utc_now()
    draft = proposals.begin_draft(community.id, TEMPLATES["welfare"], 1, now)
    proposals.change_draft(community.id, draft, TEMPLATES["welfare"], answer, "")
    return proposals.propose(community.id, draft, 1, now)


def votes(**changes):
    today = village_day(utc_now(), "Asia/Bangkok")
    return {
        "meeting": "ประชุมสมาชิก ครั้งที่ 3",
        "place": "ศาลาหมู่บ้าน",
        "met_on": today.isoformat(),
        "present": "7",
        "voted_for": "6",
        "voted_against": "1",
        "abstained": "0",
        "effective_from": (today + timedelta(days=8)).isoformat(),
        "signer_1": "ประธาน",
        "position_1": "ประธานกลุ่ม",
        "minutes": (BytesIO(PDF), "minutes.pdf"),
        **changes,
    }


def record(client, proposal, **changes):
    address = f"{AT}/proposals/{proposal}/adopt"
    data = {"csrf_token": token(client.get(address).text), **votes(**changes)}
    return client.post(address, data=data, content_type="multipart/form-data")


def count(table):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table))


def test_a_policy_is_written_step_by_step_without_any_code(host):
    draft = begin(host)
    assert keep(host, draft, "name", name="ข้อตกลง 2570", uses_nature="yes").status_code == 303
    keep(host, draft, "outside", intermediary="10", most="300", agreement="แฟ้ม 2")
    keep(host, draft, "fixed", fixed_welfare="20")
    answer = keep(
        host,
        draft,
        "shares",
        share_provider="70",
        share_dividend="8",
        least_provider="100",
        most_mgmt="500.50",
        dividend_rule="equal",
    )
    assert answer.location.endswith("/work")
    keep(host, draft, "work", provider_rule="rates_first", surplus="develop", rate_guide="450")
    kept = the_draft()
    assert (kept.policy.name, kept.uses_nature, kept.agreement) == ("ข้อตกลง 2570", "yes", "แฟ้ม 2")
    assert (kept.policy.intermediary_bp, kept.policy.intermediary_cap_satang) == (1_000, 30_000)
    assert kept.policy.fixed == {Bucket.WELFARE: 2_000}
    assert kept.policy.limits == {
        Bucket.PROVIDER: Limits(floor_satang=10_000),
        Bucket.MGMT: Limits(cap_satang=50_050),
    }
    assert kept.policy.shares[Bucket.DIVIDEND] == 800
    assert kept.policy.provider_rule == ProviderRule.RATES_FIRST
    page = host.get(f"{AT}/drafts/{draft.id}/review")
    assert "Of each booking, ฿20 to: Community welfare fund." in words(page)
    assert "Propose it" in words(page)
    answer = post(host, f"{AT}/drafts/{draft.id}/propose", f"{AT}/drafts/{draft.id}/review")
    assert answer.status_code == 303
    assert count(PolicyDraft) == 0
    assert "ข้อตกลง 2570" in host.get(answer.location).text


@pytest.mark.parametrize(
    "name", ["รายงานการประชุม ครั้งที่ 4.pdf", 'a"; filename=b.exe', "รายงาน\u202efdp.exe"]
)
def test_minutes_come_back_under_whatever_name_they_had(host, name):
    number = record(host, proposed(), minutes=(BytesIO(PDF), name)).location.rsplit("/", 1)[1]
    file = host.get(f"{AT}/{number}/minutes")
    assert file.data == PDF
    header = file.headers["Content-Disposition"]
    assert header.isascii()  # a server refuses to send any other
    assert header.count(";") == 2
    kept = db.session.scalars(select(MinutesFile.name)).one()
    assert unquote(header.split("filename*=UTF-8''")[1]) == kept


def test_a_step_that_cannot_be_read_says_so_in_the_readers_language_and_keeps_nothing(host):
    draft = begin(host)
    before = the_draft().text
    answer = keep(host, draft, "shares", share_welfare="five")
    assert answer.status_code == 422
    assert "Please enter a number of percent" in words(answer)
    assert keep(host, draft, "shares", share_welfare="500").status_code == 422
    assert keep(host, draft, "fixed", fixed_mgmt="-1").status_code == 422
    assert keep(host, draft, "name", name="a\u202eb").status_code == 422
    assert keep(host, draft, "shares", least_mgmt="10", most_mgmt="5").status_code == 422
    assert the_draft().text == before
    assert host.get(f"{AT}/drafts/{draft.id}/wealth").status_code == 404
    assert post(host, f"{AT}/drafts", AT, template="unknown").status_code == 404


def test_the_sum_is_shown_and_a_wrong_one_cannot_be_proposed(host):
    draft = begin(host)
    before = count(PolicyProposal)
    answer = keep(host, draft, "shares", share_welfare="4", stay="yes")
    assert answer.location.endswith("/shares")
    assert "99 of 100 percent" in words(host.get(answer.location))
    review = f"{AT}/drafts/{draft.id}/review"
    page = words(host.get(review))
    assert "Together the shares make 99 percent." in page
    assert "It cannot be proposed while a rule says error." in page
    answer = post(host, f"{AT}/drafts/{draft.id}/propose", review)
    assert answer.status_code == 422
    assert "This split policy breaks a rule" in words(answer)
    assert count(PolicyProposal) == before
    assert count(PolicyDraft) == 1


def test_a_draft_can_be_thrown_away(host):
    draft = begin(host)
    answer = post(host, f"{AT}/drafts/{draft.id}/drop", f"{AT}/drafts/{draft.id}/review")
    assert answer.status_code == 303
    assert count(PolicyDraft) == 0


def test_the_resolution_is_recorded_and_read_by_households_and_mentor(host, sample_app):
    answer = record(host, proposed())
    assert answer.status_code == 303
    number = count(PolicyVersion)
    for name in ("h03.buna-dara", "mentor", "treasurer.buna-dara"):
        reader = sample_app.test_client()
        sign_in(reader, name)
        page = words(reader.get(answer.location))
        assert "Adopted. It applies to what is sold from" in page
        assert "ศาลาหมู่บ้าน" in page
        assert "ประธานกลุ่ม" in page
        file = reader.get(f"{answer.location}/minutes")
        assert file.data == PDF
        assert file.headers["Content-Disposition"] == (
            "attachment; filename=\"minutes-2.pdf\"; filename*=UTF-8''minutes.pdf"
        )
    assert "not begun yet" in words(host.get(AT))
    assert number > 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"present": "1", "voted_for": "1", "voted_against": "0"}, "there was no quorum"),
        ({"voted_for": "3", "voted_against": "4"}, "not more than half"),
        ({"voted_for": "7"}, "are not as many as came"),
        ({"effective_from": "2026-01-01"}, "cannot start before it was adopted"),
        ({"signer_1": ""}, "names and positions"),
        ({"minutes": (BytesIO(b""), "")}, "minutes is missing"),
        ({"minutes": (BytesIO(b"<html>"), "a.pdf")}, "PDF, JPEG or PNG"),
        ({"present": "many"}, "Not a valid integer value"),
        ({"met_on": "yesterday"}, "year-month-day"),
    ],
    ids=["quorum", "majority", "votes", "past", "signers", "no-file", "page", "words", "day"],
)
def test_a_resolution_that_cannot_be_is_refused_beside_what_was_typed(host, changes, said):
    proposal = proposed()
    versions = count(PolicyVersion)
    answer = record(host, proposal, **changes)
    assert answer.status_code == 422
    assert said in words(answer)
    assert "ประชุมสมาชิก ครั้งที่ 3" in unescape(answer.text)
    assert (count(PolicyVersion), count(PolicyResolution)) == (versions, 0)


def test_an_overtaken_proposal_says_so(host):
    first, second = proposed(), proposed()
    record(host, first)
    assert "Please propose it again" in words(host.get(f"{AT}/proposals/{second}"))
    answer = record(host, second)
    assert answer.status_code == 409
    assert "Please propose it again" in words(answer)


def test_a_household_sees_its_own_line_of_the_simulation_and_nobody_elses(host, sample_app):
    proposal = proposed()
    all_of_it = words(host.get(f"{AT}/proposals/{proposal}"))
    member = sample_app.test_client()
    sign_in(member, "h03.buna-dara")
    own = words(member.get(f"{AT}/proposals/{proposal}"))
    assert "The last closed month, shared out anew" in own
    community = get_community(db.session(), "buna-dara")
    names = [each.name["en"] for each in list_names(community)]
    shown = [name for name in names if name in all_of_it]
    assert len(shown) > 1
    assert [name for name in names if name in own] in ([names[2]], [])
    assert "Record the resolution" not in own


def test_the_page_says_whether_the_month_beside_it_is_closed(app, monkeypatch):
    office = closing.make_office()
    closing.worked_month(office)
    now = utc_now()
    draft = proposals.begin_draft(office.id, TEMPLATES["welfare"], 1, now)
    proposals.change_draft(office.id, draft, TEMPLATES["welfare"], UsesNature.NO, "")
    proposal = proposals.propose(office.id, draft, 1, now)
    reader = a_browser(app, "mentor.of-policies", Grant(Role.MENTOR, office.id))
    address = f"/en/policies/{office.village.slug}/proposals/{proposal}"
    monkeypatch.setattr(views, "_today", closing.AFTER_NEXT.date)
    assert "No month with trips is closed yet." in words(reader.get(address))
    closing.close_month(office)
    shown = words(reader.get(address))
    assert "The last closed month, shared out anew" in shown
    assert "This month is closed and does not change any more." in shown


def list_names(community):
    from cbt.communities.queries import list_register

    return list_register(db.session(), community.id)


def test_the_pages_are_thai_in_thai(host):
    draft = begin(host, "dividend")
    for address in ("", f"/drafts/{draft.id}/shares", f"/drafts/{draft.id}/review", "/1"):
        page = host.get(f"/th/policies/buna-dara{address}")
        assert page.status_code == 200
        assert '<html lang="th"' in page.text


def test_one_can_come_here_within_two_taps(host, sample_app):
    assert AT in host.get("/en/host/buna-dara/more").text
    member, mentor = sample_app.test_client(), sample_app.test_client()
    sign_in(member, "h03.buna-dara")
    assert AT in member.get("/en/household/buna-dara/H03").text
    sign_in(mentor, "mentor")
    assert AT in mentor.get("/en/mentor/buna-dara").text


COST = Part(PartKind.COST, "insurance", 4_000)
FEE = Part(PartKind.PAYMENT_FEE, "payment_fee", 1_589)
WELFARE = Part(PartKind.BUCKET, "welfare", 6_172, 500, 123_457)


@pytest.mark.parametrize(
    ("part", "english"),
    [
        (COST, "At cost to: Accident insurance. ฿40.00"),
        (FEE, "At cost to: Payment fee. ฿15.89"),
        (WELFARE, "5 percent of ฿1,234.57 to: Community welfare fund. Rounded down: ฿61.72"),
        (
            WELFARE._replace(amount_satang=5_000, bound=Bound.CAP),
            "5 percent of ฿1,234.57 to: Community welfare fund,"
            " but at most what the policy allows: ฿50.00",
        ),
        (
            WELFARE._replace(amount_satang=9_000, bound=Bound.FLOOR),
            "5 percent of ฿1,234.57 to: Community welfare fund,"
            " but at least what the policy promises: ฿90.00",
        ),
        (
            WELFARE._replace(amount_satang=10, bound=Bound.SHORT),
            "5 percent of ฿1,234.57 to: Community welfare fund, as far as the money went: ฿0.10",
        ),
        (
            Part(PartKind.FIXED, "welfare", 2_000),
            "Fixed amount to: Community welfare fund. ฿20.00",
        ),
        (
            Part(PartKind.BUCKET, "dividend", 800, 800, 10_000),
            "8 percent of ฿100.00 to: Dividend to the owners. Rounded down: ฿8.00",
        ),
        (
            Part(PartKind.BUCKET, "provider", 70_000, 7_000, 100_000),
            "What is left, to the households that do the work: ฿700.00",
        ),
    ],
    ids=["cost", "fee", "share", "cap", "floor", "short", "fixed", "dividend", "rest"],
)
def test_each_part_is_told_in_a_sentence(sample_app, part, english):
    with sample_app.test_request_context():
        set_language("en")
        assert part_sentence(part) == english
