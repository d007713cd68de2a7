"""Messages that wait to be sent, and those that were."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base


class Notice(Base):
    """One message to one person about one fact; `key` says which, so that it is queued once.

    `recipient` and `facts` hold personal data and are emptied some time after sending.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'failed')", "state"),
        Index("ix_notice_state", "state", "send_after"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    language: Mapped[str]
    recipient: Mapped[str]
    facts: Mapped[dict[str, Any]]
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    queued_at: Mapped[datetime]
    send_after: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    failure: Mapped[str | None]
