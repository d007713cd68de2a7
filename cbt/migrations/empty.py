"""Before the first release a change of the books' shape starts from an empty database."""

import sqlalchemy as sa
from alembic import op


def require_empty_books(way_out: str) -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM community")):
        raise RuntimeError(f"This database holds books of another shape. {way_out}")
