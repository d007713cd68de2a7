"""Periods, their snapshots, statements, roots, keys and signatures."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables follow."""


def downgrade() -> None:
    """Tables follow."""
