"""Signs of life of the processes that nobody looks at."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cbt.db import Base, transaction


class Pulse(Base):
    """When a process last said that it is alive."""

    __tablename__ = "pulse"

    name: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime]


def beat(name: str, now: datetime) -> None:
    with transaction() as session:
        session.merge(Pulse(name=name, beat_at=now))


def last_beat(session: Session, name: str) -> datetime | None:
    return session.scalar(select(Pulse.beat_at).where(Pulse.name == name))
