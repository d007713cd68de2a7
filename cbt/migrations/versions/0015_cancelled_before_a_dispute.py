"""Whether a booking was cancelled before a dispute over it came: a fact, no comparison of two clocks."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dispute",
        sa.Column("was_cancelled", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        "UPDATE dispute SET was_cancelled = (1 = 1) WHERE EXISTS (SELECT 1 FROM booking"
        " WHERE booking.id = dispute.booking_id AND booking.state = 'cancelled'"
        " AND booking.ended_at < dispute.recorded_at)"
    )


def downgrade() -> None:
    op.drop_column("dispute", "was_cancelled")
