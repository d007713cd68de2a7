"""Periods, their snapshots, statements, roots, keys and signatures; disputed lines."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect, unprotect

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

FACTS = (
    "household_statement",
    "period",
    "period_balance",
    "period_rule",
    "period_signature",
    "signing_key",
)


def upgrade() -> None:
    op.create_table(
        "close_draft",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("explanations", sa.JSON(), nullable=False),
        sa.Column("prepared_by", WholeNumber, nullable=False),
        sa.Column("prepared_at", Instant, nullable=False),
        sa.Column("used_at", Instant, nullable=True),
        sa.Column("withdrawn_at", Instant, nullable=True),
        sa.CheckConstraint(
            "used_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_close_draft_one_end")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_close_draft_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["prepared_by"], ["person.id"], name=op.f("fk_close_draft_prepared_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_close_draft")),
    )
    with op.batch_alter_table("close_draft") as batch_op:
        batch_op.create_index(
            "ix_close_draft_community_id",
            ["community_id"],
            unique=True,
            sqlite_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
            postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
        )

    op.create_table(
        "period",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("closing_seq", WholeNumber, nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.Column("statement_root", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("prepared_by", WholeNumber, nullable=False),
        sa.Column("prepared_at", Instant, nullable=False),
        sa.Column("approved_by", WholeNumber, nullable=False),
        sa.Column("closed_at", Instant, nullable=False),
        sa.CheckConstraint("closing_seq >= 0 AND number > 0", name=op.f("ck_period_numbers")),
        sa.CheckConstraint("prepared_by <> approved_by", name=op.f("ck_period_two_people")),
        sa.ForeignKeyConstraint(["approved_by"], ["person.id"], name=op.f("fk_period_approved_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_period_community_id")
        ),
        sa.ForeignKeyConstraint(["prepared_by"], ["person.id"], name=op.f("fk_period_prepared_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period")),
        sa.UniqueConstraint("community_id", "month", name=op.f("uq_period_community_id_month")),
        sa.UniqueConstraint("community_id", "number", name=op.f("uq_period_community_id_number")),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("person_id", WholeNumber, nullable=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("locked", sa.Text(), nullable=True),
        sa.Column("follows", WholeNumber, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(role = 'platform') = (community_id IS NULL)", name=op.f("ck_signing_key_community")
        ),
        sa.CheckConstraint(
            "(role = 'platform') = (locked IS NULL)", name=op.f("ck_signing_key_locked")
        ),
        sa.CheckConstraint(
            "(role = 'platform') = (person_id IS NULL)", name=op.f("ck_signing_key_person")
        ),
        sa.CheckConstraint(
            "role IN ('platform', 'treasurer', 'mentor')", name=op.f("ck_signing_key_role")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_signing_key_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["follows"], ["signing_key.id"], name=op.f("fk_signing_key_follows")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_signing_key_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("follows", name=op.f("uq_signing_key_follows")),
        sa.UniqueConstraint("public_key", name=op.f("uq_signing_key_public_key")),
    )
    with op.batch_alter_table("signing_key") as batch_op:
        batch_op.create_index(
            "ix_signing_key_community_id",
            ["community_id", "role", "person_id"],
            unique=True,
            sqlite_where=sa.text("follows IS NULL"),
            postgresql_where=sa.text("follows IS NULL"),
        )

    op.create_table(
        "household_statement",
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("place", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.Text(), nullable=False),
        sa.Column("earned_satang", WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_household_statement_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["period_id"], ["period.id"], name=op.f("fk_household_statement_period_id")
        ),
        sa.PrimaryKeyConstraint("period_id", "place", name=op.f("pk_household_statement")),
        sa.UniqueConstraint(
            "period_id", "household_id", name=op.f("uq_household_statement_period_id_household_id")
        ),
    )
    with op.batch_alter_table("household_statement") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_household_statement_household_id"), ["household_id"], unique=False
        )

    op.create_table(
        "line_dispute",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("entry_seq", WholeNumber, nullable=False),
        sa.Column("leg", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("opened_by", WholeNumber, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", WholeNumber, nullable=True),
        sa.Column("answered_at", Instant, nullable=True),
        sa.Column("accepted_at", Instant, nullable=True),
        sa.Column("passed_at", Instant, nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", WholeNumber, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (answered_by IS NULL)", name=op.f("ck_line_dispute_answered")
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL)", name=op.f("ck_line_dispute_decided")
        ),
        sa.CheckConstraint(
            "accepted_at IS NULL OR decided_at IS NULL", name=op.f("ck_line_dispute_one_end")
        ),
        sa.CheckConstraint("amount_satang >= 0", name=op.f("ck_line_dispute_amount")),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["person.id"], name=op.f("fk_line_dispute_answered_by")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_line_dispute_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_line_dispute_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_line_dispute_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["opened_by"], ["person.id"], name=op.f("fk_line_dispute_opened_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_dispute")),
        sa.UniqueConstraint(
            "community_id",
            "entry_seq",
            "leg",
            name=op.f("uq_line_dispute_community_id_entry_seq_leg"),
        ),
    )
    with op.batch_alter_table("line_dispute") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_line_dispute_household_id"), ["household_id"], unique=False
        )

    op.create_table(
        "period_balance",
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("account_id", WholeNumber, nullable=False),
        sa.Column("opening_satang", WholeNumber, nullable=False),
        sa.Column("debits_satang", WholeNumber, nullable=False),
        sa.Column("credits_satang", WholeNumber, nullable=False),
        sa.Column("closing_satang", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "debits_satang >= 0 AND credits_satang >= 0", name=op.f("ck_period_balance_moved")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_account.id"], name=op.f("fk_period_balance_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["period_id"], ["period.id"], name=op.f("fk_period_balance_period_id")
        ),
        sa.PrimaryKeyConstraint("period_id", "account_id", name=op.f("pk_period_balance")),
    )
    op.create_table(
        "period_rule",
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Text(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "severity IN ('error', 'warning', 'advice')", name=op.f("ck_period_rule_severity")
        ),
        sa.CheckConstraint(
            "verdict IN ('pass', 'fail', 'not_applicable', 'no_data')",
            name=op.f("ck_period_rule_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["period_id"], ["period.id"], name=op.f("fk_period_rule_period_id")
        ),
        sa.PrimaryKeyConstraint("period_id", "rule", name=op.f("pk_period_rule")),
    )
    op.create_table(
        "period_signature",
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("key_id", WholeNumber, nullable=False),
        sa.Column("signed_by", WholeNumber, nullable=True),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("signed_at", Instant, nullable=False),
        sa.CheckConstraint(
            "role IN ('platform', 'treasurer', 'mentor')", name=op.f("ck_period_signature_role")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["signing_key.id"], name=op.f("fk_period_signature_key_id")
        ),
        sa.ForeignKeyConstraint(
            ["period_id"], ["period.id"], name=op.f("fk_period_signature_period_id")
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"], ["person.id"], name=op.f("fk_period_signature_signed_by")
        ),
        sa.PrimaryKeyConstraint("period_id", "role", name=op.f("pk_period_signature")),
    )
    protect(*FACTS)


def downgrade() -> None:
    unprotect(*FACTS)
    op.drop_table("period_signature")
    op.drop_table("period_rule")
    op.drop_table("period_balance")
    with op.batch_alter_table("line_dispute") as batch_op:
        batch_op.drop_index(batch_op.f("ix_line_dispute_household_id"))

    op.drop_table("line_dispute")
    with op.batch_alter_table("household_statement") as batch_op:
        batch_op.drop_index(batch_op.f("ix_household_statement_household_id"))

    op.drop_table("household_statement")
    with op.batch_alter_table("signing_key") as batch_op:
        batch_op.drop_index(
            "ix_signing_key_community_id",
            sqlite_where=sa.text("follows IS NULL"),
            postgresql_where=sa.text("follows IS NULL"),
        )

    op.drop_table("signing_key")
    op.drop_table("period")
    with op.batch_alter_table("close_draft") as batch_op:
        batch_op.drop_index(
            "ix_close_draft_community_id",
            sqlite_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
            postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
        )

    op.drop_table("close_draft")
