"""Reading the outbox."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.notices.models import Notice


def count_by_state(session: Session) -> dict[str, int]:
    rows = session.execute(select(Notice.state, func.count()).group_by(Notice.state))
    return {row[0]: row[1] for row in rows}
