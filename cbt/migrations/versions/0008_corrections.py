"""What happens to shared-out money when a guest gets some of it back, and what people put right."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.accounts import begin_balances
from cbt.migrations.append_only import protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("refund") as batch_op:
        batch_op.add_column(
            sa.Column("was_split", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("refund") as batch_op:
        batch_op.alter_column("was_split", server_default=None)
    op.create_table(
        "take_back",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("lost_satang", WholeNumber, nullable=False),
        sa.Column("cost_satang", WholeNumber, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("found_at", Instant, nullable=False),
        sa.CheckConstraint(
            "number > 0 AND (lost_satang <> 0 OR cost_satang <> 0)", name=op.f("ck_take_back_moves")
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_take_back_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_take_back_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_take_back")),
        sa.UniqueConstraint("booking_id", "number", name=op.f("uq_take_back_booking_id_number")),
    )
    op.create_index("ix_take_back_community_id", "take_back", ["community_id"])
    op.create_table(
        "recovery",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("recovered_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_recovery_positive")),
        sa.CheckConstraint("kind IN ('unpaid', 'payout')", name=op.f("ck_recovery_kind")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_recovery_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_recovery_household_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
    )
    op.create_index("ix_recovery_household_id", "recovery", ["household_id"])
    op.create_table(
        "correction",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("concerns_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", WholeNumber, nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("decided_by", WholeNumber, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.CheckConstraint(
            "amount_satang > 0 AND source <> target", name=op.f("ck_correction_moves")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_correction_reason")),
        sa.CheckConstraint(
            "state IN ('asked', 'agreed', 'refused')", name=op.f("ck_correction_state")
        ),
        sa.CheckConstraint(
            "(state = 'asked') = (decided_at IS NULL)", name=op.f("ck_correction_decided")
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL)", name=op.f("ck_correction_decided_by")
        ),
        sa.CheckConstraint(
            "state <> 'agreed' OR decided_by <> asked_by", name=op.f("ck_correction_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_correction_community_id")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["person.id"], name=op.f("fk_correction_asked_by")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_correction_decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index("ix_correction_community_id", "correction", ["community_id", "state"])
    protect("take_back", "recovery")
    _open_receivables()


def _open_receivables() -> None:
    """Open an account for what each household may come to owe."""
    op.execute(
        "INSERT INTO ledger_account (book_id, code, normal_side, may_go_negative)"
        " SELECT community.book_id, 'receivable:' || household.code, 'debit', false FROM household"
        " JOIN community ON community.id = household.community_id"
        " WHERE NOT EXISTS (SELECT 1 FROM ledger_account known WHERE known.book_id ="
        " community.book_id AND known.code = 'receivable:' || household.code)"
    )
    begin_balances()


def downgrade() -> None:
    op.drop_index("ix_correction_community_id", "correction")
    op.drop_table("correction")
    op.drop_index("ix_recovery_household_id", "recovery")
    op.drop_table("recovery")
    op.drop_index("ix_take_back_community_id", "take_back")
    op.drop_table("take_back")
    with op.batch_alter_table("refund") as batch_op:
        batch_op.drop_column("was_split")
