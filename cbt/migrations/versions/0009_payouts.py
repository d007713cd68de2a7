"""Payout batches, their lines and what became of them."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables follow."""


def downgrade() -> None:
    """Tables follow."""
