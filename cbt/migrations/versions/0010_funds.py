"""Welfare claims, contributions and loans of the revolving fund."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables follow."""


def downgrade() -> None:
    """Tables follow."""
