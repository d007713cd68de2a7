"""An assessment of a sample community: by itself in full, by the committee beside it."""

from datetime import datetime, timedelta

from cbt.audit import assess
from cbt.audit.assess import Judged
from cbt.audit.assessment import CRITERIA, HELD_HERE, Assessor
from cbt.audit.assessment_queries import get_assessment, list_items
from cbt.clock import village_day
from cbt.db import db

_EDITION = "ฉบับตัวอย่าง (ข้อความจริงให้พี่เลี้ยงกรอก) / Sample edition"
_WORDING = "ข้อตัวอย่างของเกณฑ์ {} / Sample item"
_KEPT = "แฟ้มตัวอย่างของกลุ่ม เล่ม {}"
_INDICES = 4
_HALF_A_YEAR = timedelta(days=180)


def leave_assessments(
    community_id: int, zone: str, host_id: int, mentor_id: int, now: datetime
) -> None:
    """Both views of the community, the committee's a little stricter, and something planned."""
    text = "\n".join(f"{each} | 1 | {_WORDING.format(each)} | {_INDICES}" for each in CRITERIA)
    edition = assess.enter_edition(_EDITION, text, mentor_id, now)
    for assessor, person_id, less in (
        (Assessor.SELF, host_id, 0),
        (Assessor.COMMITTEE, mentor_id, 1),
    ):
        number = assess.begin(community_id, edition, assessor, person_id, now)
        items = list_items(db.session(), get_assessment(db.session(), community_id, number))
        judged = [_judged(each.id, each.criterion, place, less) for place, each in enumerate(items)]
        assess.score(community_id, number, judged, person_id, now)
        assess.finish(community_id, number, person_id, now)
    due_on = village_day(now, zone) + _HALF_A_YEAR
    what = "ให้สมาชิกรุ่นใหม่สองคนเรียนทำบัญชีกับเหรัญญิก (ตัวอย่าง)"
    assess.plan(community_id, "1.9", what, "ผู้ประสานงาน", due_on, host_id, now)


def _judged(item_id: int, criterion: str, place: int, less: int) -> Judged:
    score = 4 if criterion in HELD_HERE else 2 + place % 3
    score -= less if place % 4 == 1 else 0
    evidence = tuple((_KEPT.format(number), False) for number in range(1, score + 1))
    return Judged(item_id, score, "", evidence)
