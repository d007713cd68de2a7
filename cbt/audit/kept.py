"""The newest outcome of each community's audit, kept so that pages need not run it again."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base


class KeptOutcome(Base):
    """What the last run said, and the head of the books that it saw: for another head it says nothing.

    A convenience of pages. What is closed or signed is never decided by it.
    """

    __tablename__ = "kept_audit"

    community_id: Mapped[int] = mapped_column(ForeignKey("community.id"), primary_key=True)
    entry_seq: Mapped[int]
    entry_hash: Mapped[str]
    run_at: Mapped[datetime]
    outcomes: Mapped[list[dict[str, Any]]]
