"""Minimum wages, consents to be counted, follow-up lines of guests, and kept outcomes of the audit."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "minimum_wage",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("province_code", sa.Text(), nullable=False),
        sa.Column("daily_satang", WholeNumber, nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("daily_satang > 0", name=op.f("ck_minimum_wage_positive")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_minimum_wage_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minimum_wage")),
    )
    op.create_index(
        "ix_minimum_wage_province_code",
        "minimum_wage",
        ["province_code", "effective_on"],
        unique=False,
    )
    op.create_table(
        "vulnerable_household",
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("agreed_by", WholeNumber, nullable=False),
        sa.Column("agreed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_vulnerable_household_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["agreed_by"], ["person.id"], name=op.f("fk_vulnerable_household_agreed_by")
        ),
        sa.PrimaryKeyConstraint("household_id", name=op.f("pk_vulnerable_household")),
    )
    op.create_table(
        "kept_audit",
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("entry_seq", WholeNumber, nullable=False),
        sa.Column("entry_hash", sa.Text(), nullable=False),
        sa.Column("run_at", Instant, nullable=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_kept_audit_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_kept_audit")),
    )
    op.add_column("booking", sa.Column("follow_up_agreed_at", Instant, nullable=True))
    protect("minimum_wage")


def downgrade() -> None:
    op.drop_column("booking", "follow_up_agreed_at")
    op.drop_table("kept_audit")
    op.drop_table("vulnerable_household")
    op.drop_index("ix_minimum_wage_province_code", "minimum_wage")
    op.drop_table("minimum_wage")
