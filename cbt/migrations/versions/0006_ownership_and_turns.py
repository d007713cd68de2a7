"""Co-owned assets, share registers, turns, and who confirmed which work."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables follow."""


def downgrade() -> None:
    """Tables follow."""
