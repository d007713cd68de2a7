"""Reading the outbox."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cbt.notices.models import Notice


def count_by_state(session: Session) -> dict[str, int]:
    rows = session.execute(select(Notice.state, func.count()).group_by(Notice.state))
    return {row[0]: row[1] for row in rows}


def list_sent_about(session: Session, reference: str) -> list[tuple[str, datetime]]:
    """(kind, when it was sent) of mails about a booking, the oldest first.

    Those whose facts were emptied since are still found where their key names the booking.
    """
    rows = session.execute(
        select(Notice.kind, Notice.sent_at)
        .where(
            Notice.sent_at.is_not(None),
            or_(
                Notice.facts["reference"].as_string() == reference,
                Notice.key.endswith(f":{reference}", autoescape=True),
                Notice.key.contains(f":{reference}:", autoescape=True),
            ),
        )
        .order_by(Notice.sent_at, Notice.id)
    )
    return [(row.kind, row.sent_at) for row in rows]
