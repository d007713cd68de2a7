"""Agencies read totals over communities: a role of no community."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BEFORE = {
    "role": "role IN ('coordinator', 'treasurer', 'household', 'mentor', 'admin')",
    "community": "(role = 'admin') = (community_id IS NULL)",
    "household": "(role = 'household') = (household_id IS NOT NULL)",
}
_AFTER = _BEFORE | {
    "role": "role IN ('coordinator', 'treasurer', 'household', 'mentor', 'admin', 'viewer')",
    "community": "(role IN ('admin', 'viewer')) = (community_id IS NULL)",
}


def upgrade() -> None:
    _replace(_AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM role_grant WHERE role = 'viewer'")
    _replace(_BEFORE)


def _replace(checks: dict[str, str]) -> None:
    """Put these checks in place of those that stand; SQLite's copy of the table has none of them."""
    is_copied = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("role_grant", recreate="always" if is_copied else "never") as batch:
        for name, text in checks.items():
            named = op.f(f"ck_role_grant_{name}")
            if not is_copied:
                batch.drop_constraint(named, type_="check")
            batch.create_check_constraint(named, text)
