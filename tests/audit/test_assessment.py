"""Assessing against the standard: editions, scores founded on evidence, means, GOV-04."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from cbt.audit import assess
from cbt.audit.assess import Judged
from cbt.audit.assessment import (
    CRITERIA,
    Assessed,
    Assessor,
    EditionProblem,
    Level,
    Scored,
    criterion_means,
    domain_means,
    gov_04,
    level,
    read_edition,
    require_founded,
)
from cbt.audit.assessment_models import (
    Assessment,
    AssessmentAction,
    AssessmentEvidence,
    AssessmentScore,
    StandardEdition,
)
from cbt.audit.assessment_queries import get_assessment, latest, list_items, list_results
from cbt.db import db
from cbt.errors import (
    EditionInvalid,
    EditionTaken,
    NotFound,
    ScoresMissing,
    ScoreUnfounded,
    StateForbids,
)
from cbt.revenue.policy_rules import Severity, Verdict
from tests import factories
from tests.site import NOW

EDITION = "1.1 | 1 | the group is recognised | 4\n1.8 | 1 | accounts are kept | 3\n2.1\t1\tincome is shared\t4\n"
TODAY = date(2026, 11, 23)


# --- the structure and its means -----------------------------------------------------------------


def test_the_standard_has_28_criteria_in_five_domains():
    assert len(CRITERIA) == 28
    assert CRITERIA[:2] == ("1.1", "1.2")
    assert CRITERIA[-1] == "5.7"


def test_an_edition_is_read_in_the_standards_order():
    items = read_edition("2.1|1|b|4\n\n1.8 | 2 | a | 3\n1.8|1|c|1")
    assert [(each.criterion, each.number, each.wording, each.indices) for each in items] == [
        ("1.8", 1, "c", 1),
        ("1.8", 2, "a", 3),
        ("2.1", 1, "b", 4),
    ]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, EditionProblem.EMPTY),
        ("1.1 | 1 | words", 1, EditionProblem.SHAPE),
        ("1.1|1|a|4\n1.10|1|b|4", 2, EditionProblem.CRITERION),
        ("1.1|0|a|4", 1, EditionProblem.NUMBER),
        ("1.1|๑|a|4", 1, EditionProblem.NUMBER),
        ("1.1|1||4", 1, EditionProblem.WORDING),
        ("1.1|1|a\u202eb|4", 1, EditionProblem.WORDING),
        ("1.1|1|a|0", 1, EditionProblem.INDICES),
        ("1.1|1|a|21", 1, EditionProblem.INDICES),
        ("1.1|1|a|4\n\n1.1|1|b|4", 3, EditionProblem.TWICE),
        ("1.1|1|a|4\n" * 401, 401, EditionProblem.TOO_MANY),
    ],
)
def test_an_edition_that_cannot_be_says_on_which_line(text, line, problem):
    with pytest.raises(EditionInvalid) as refused:
        read_edition(text)
    assert refused.value.facts == {"line": line, "problem": problem}


def scored(**scores):
    """scored(c11=[3, 4]) gives two items of criterion 1.1."""
    return [
        Scored(f"{name[1]}.{name[2]}", score, 4)
        for name, given_ in scores.items()
        for score in given_
    ]


def test_a_criterion_is_the_mean_of_its_items_and_a_domain_of_its_criteria():
    means = criterion_means(scored(c11=[4, 3], c18=[1], c21=[2]))
    assert means == {"1.1": Fraction(7, 2), "1.8": Fraction(1), "2.1": Fraction(2)}
    assert domain_means(means) == {1: Fraction(9, 4), 2: Fraction(2)}


def test_one_item_without_a_score_leaves_its_criterion_and_domain_open():
    means = criterion_means(scored(c11=[4, None], c18=[1], c21=[2]))
    assert means == {"1.1": None, "1.8": Fraction(1), "2.1": Fraction(2)}
    assert domain_means(means) == {1: None, 2: Fraction(2)}


@given(st.lists(st.tuples(st.sampled_from(CRITERIA), st.integers(0, 4)), min_size=1))
def test_means_stay_between_nought_and_four(pairs):
    means = criterion_means([Scored(criterion, score, 4) for criterion, score in pairs])
    for mean in [*means.values(), *domain_means(means).values()]:
        assert 0 <= mean <= 4


@pytest.mark.parametrize(
    ("mean", "name"),
    [
        (Fraction(0), Level.IMPROVE),
        (Fraction(1), Level.IMPROVE),
        (Fraction(101, 100), Level.FAIR),
        (Fraction(2), Level.FAIR),
        (Fraction(5, 2), Level.GOOD),
        (Fraction(3), Level.GOOD),
        (Fraction(301, 100), Level.EXCELLENT),
        (Fraction(4), Level.EXCELLENT),
    ],
)
def test_the_level_words(mean, name):
    assert level(mean) == name


@pytest.mark.parametrize(("score", "indices", "evidenced"), [(0, 4, 0), (3, 4, 3), (4, 5, 5)])
def test_a_score_with_its_evidence_holds(score, indices, evidenced):
    require_founded(score, indices, evidenced)


@pytest.mark.parametrize(
    ("score", "indices", "evidenced"), [(1, 4, 0), (4, 4, 3), (5, 5, 5), (-1, 4, 4), (3, 2, 3)]
)
def test_a_score_above_its_evidence_does_not(score, indices, evidenced):
    with pytest.raises(ScoreUnfounded):
        require_founded(score, indices, evidenced)


# --- GOV-04 --------------------------------------------------------------------------------------


def assessed(day=TODAY, **scores):
    return Assessed(tuple(scored(**scores)), day)


GOOD = {"c11": [3], "c18": [2], "c21": [2]}


def test_gov_04_passes_where_both_see_it_alike():
    answer = gov_04(assessed(**GOOD), assessed(**GOOD), TODAY)
    assert (answer.verdict, answer.values["gap_hundredths"]) == (Verdict.PASS, 0)


def test_gov_04_without_an_assessment_has_no_data():
    assert gov_04(None, None, TODAY).verdict == Verdict.NO_DATA


def test_gov_04_calls_a_score_without_evidence_an_error():
    bare = Assessed((Scored("1.1", 3, 2), Scored("1.8", 2, 2)), TODAY)
    answer = gov_04(bare, None, TODAY)
    assert (answer.verdict, answer.severity) == (Verdict.FAIL, Severity.ERROR)
    assert answer.stops


@pytest.mark.parametrize(
    ("own", "committee", "verdict"),
    [
        ({"c11": [3], "c18": [3], "c21": [3]}, {"c11": [2], "c18": [2], "c21": [3]}, Verdict.FAIL),
        ({"c11": [4], "c18": [3], "c21": [3]}, {"c11": [3], "c18": [3], "c21": [3]}, Verdict.PASS),
        ({"c11": [3], "c18": [1], "c21": [3]}, None, Verdict.FAIL),
        ({"c11": [3], "c18": [2], "c21": [1]}, None, Verdict.FAIL),
        ({"c11": [3], "c18": [2], "c21": [2]}, None, Verdict.PASS),
    ],
)
def test_gov_04_at_its_thresholds(own, committee, verdict):
    answer = gov_04(assessed(**own), assessed(**committee) if committee else None, TODAY)
    assert (answer.verdict, answer.severity) == (verdict, Severity.WARNING)


@pytest.mark.parametrize(("days", "verdict"), [(365, Verdict.PASS), (366, Verdict.FAIL)])
def test_gov_04_wants_an_assessment_every_year(days, verdict):
    old = assessed(TODAY - timedelta(days=days), **GOOD)
    assert gov_04(old, None, TODAY).verdict == verdict


# --- the use cases -------------------------------------------------------------------------------


@pytest.fixture
def begun(app):
    village = factories.make_village()
    edition = assess.enter_edition("2567", EDITION, village.person_id, NOW)
    number = assess.begin(village.id, edition, Assessor.SELF, village.person_id, NOW)
    return village, edition, number


def items(village, number):
    return list_items(db.session(), get_assessment(db.session(), village.id, number))


def judged(item, score, *evidence, comment=""):
    return Judged(item.id, score, comment, tuple((each, False) for each in evidence))


def count(table):
    return db.session.scalar(select(func.count()).select_from(table))


def test_an_assessment_is_scored_finished_and_read(begun):
    village, _edition, number = begun
    rows = [judged(each, 2, "folder 1", "folder 2") for each in items(village, number)]
    assess.score(village.id, number, rows, village.person_id, NOW)
    assess.finish(village.id, number, village.person_id, NOW)
    result = latest(list_results(db.session(), village.id), Assessor.SELF)
    assert result.domains == {1: Fraction(2), 2: Fraction(2)}
    assert [each.evidenced for each in result.scores] == [2, 2, 2]


def test_scoring_again_takes_the_place_of_what_was_there(begun):
    village, _edition, number = begun
    first = items(village, number)[0]
    assess.score(village.id, number, [judged(first, 2, "a", "b")], village.person_id, NOW)
    assess.score(village.id, number, [judged(first, 1, "c")], village.person_id, NOW)
    again = items(village, number)[0]
    assert (again.score, again.evidence) == (1, (("c", False),))


def test_one_unfounded_score_leaves_all_unwritten(begun):
    village, _edition, number = begun
    first, second, _third = items(village, number)
    rows = [judged(first, 1, "a"), judged(second, 3, "only one")]
    with pytest.raises(ScoreUnfounded):
        assess.score(village.id, number, rows, village.person_id, NOW)
    assert (count(AssessmentScore), count(AssessmentEvidence)) == (0, 0)


def test_an_item_of_another_edition_is_not_scored(begun):
    village, _edition, number = begun
    with pytest.raises(NotFound):
        assess.score(village.id, number, [Judged(10**6, 0, "", ())], village.person_id, NOW)


def test_it_cannot_be_finished_before_every_item_has_a_score(begun):
    village, _edition, number = begun
    with pytest.raises(ScoresMissing) as refused:
        assess.finish(village.id, number, village.person_id, NOW)
    assert refused.value.facts == {"left": 3}
    assert get_assessment(db.session(), village.id, number).is_open


def test_a_finished_one_stays(begun):
    village, edition, number = begun
    rows = [judged(each, 0) for each in items(village, number)]
    assess.score(village.id, number, rows, village.person_id, NOW)
    assess.finish(village.id, number, village.person_id, NOW)
    with pytest.raises(StateForbids):
        assess.score(village.id, number, rows[:1], village.person_id, NOW)
    with pytest.raises(StateForbids):
        assess.finish(village.id, number, village.person_id, NOW)
    assert assess.begin(village.id, edition, Assessor.SELF, village.person_id, NOW) > number


def test_one_of_each_kind_is_open_at_a_time(begun):
    village, edition, _number = begun
    with pytest.raises(StateForbids):
        assess.begin(village.id, edition, Assessor.SELF, village.person_id, NOW)
    assess.begin(village.id, edition, Assessor.COMMITTEE, village.person_id, NOW)
    assert count(Assessment) == 2


def test_an_edition_keeps_its_name_and_its_items(begun):
    village, _edition, _number = begun
    with pytest.raises(EditionTaken):
        assess.enter_edition("2567", "1.1|1|other|4", village.person_id, NOW)
    assert count(StandardEdition) == 1


def test_an_action_is_planned_and_done_once(begun):
    village, _edition, _number = begun
    number = assess.plan(village.id, "1.8", "teach two", "treasurer", TODAY, village.person_id, NOW)
    assess.mark_done(village.id, number, TODAY, village.person_id)
    with pytest.raises(StateForbids):
        assess.mark_done(village.id, number, TODAY, village.person_id)
    with pytest.raises(NotFound):
        assess.mark_done(village.id, number + 1, TODAY, village.person_id)
    with pytest.raises(NotFound):
        assess.plan(village.id, "9.9", "x", "y", TODAY, village.person_id, NOW)
    assert count(AssessmentAction) == 1
