"""Payout batches, their lines, what became of them, and where households want to be paid."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.accounts import open_in_every_book
from cbt.migrations.append_only import protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "payee",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("named_by", WholeNumber, nullable=False),
        sa.Column("named_at", Instant, nullable=False),
        sa.Column("agreed_by", WholeNumber, nullable=True),
        sa.Column("agreed_at", Instant, nullable=True),
        sa.CheckConstraint(
            "kind IN ('phone', 'tax_id', 'ewallet', 'bank', 'cash')", name=op.f("ck_payee_kind")
        ),
        sa.CheckConstraint(
            "state IN ('named', 'agreed', 'replaced', 'refused')", name=op.f("ck_payee_state")
        ),
        sa.CheckConstraint(
            "agreed_by IS NULL OR agreed_by <> named_by", name=op.f("ck_payee_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_payee_household_id")
        ),
        sa.ForeignKeyConstraint(["named_by"], ["person.id"], name=op.f("fk_payee_named_by")),
        sa.ForeignKeyConstraint(["agreed_by"], ["person.id"], name=op.f("fk_payee_agreed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payee")),
    )
    op.create_index("ix_payee_household_id", "payee", ["household_id", "state"])
    op.create_table(
        "payout_batch",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("least_satang", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("drafted_by", WholeNumber, nullable=False),
        sa.Column("drafted_at", Instant, nullable=False),
        sa.Column("decided_by", WholeNumber, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('drafted', 'approved', 'withdrawn')", name=op.f("ck_payout_batch_state")
        ),
        sa.CheckConstraint(
            "(state = 'drafted') = (decided_at IS NULL)", name=op.f("ck_payout_batch_decided")
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by <> drafted_by",
            name=op.f("ck_payout_batch_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payout_batch_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["drafted_by"], ["person.id"], name=op.f("fk_payout_batch_drafted_by")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_payout_batch_decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_batch")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_payout_batch_community_id_number")
        ),
    )
    op.create_index(
        "ix_payout_batch_open",
        "payout_batch",
        ["community_id"],
        unique=True,
        sqlite_where=sa.text("state = 'drafted'"),
        postgresql_where=sa.text("state = 'drafted'"),
    )
    op.create_table(
        "payout_line",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("batch_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("payee_id", WholeNumber, nullable=True),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("recovered_satang", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "amount_satang > 0 AND recovered_satang >= 0", name=op.f("ck_payout_line_amounts")
        ),
        sa.CheckConstraint(
            "state IN ('drafted', 'ordered', 'paid', 'confirmed', 'returned', 'stopped',"
            " 'withdrawn')",
            name=op.f("ck_payout_line_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["payout_batch.id"], name=op.f("fk_payout_line_batch_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_payout_line_household_id")
        ),
        sa.ForeignKeyConstraint(["payee_id"], ["payee.id"], name=op.f("fk_payout_line_payee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_line")),
        sa.UniqueConstraint(
            "batch_id", "household_id", name=op.f("uq_payout_line_batch_id_household_id")
        ),
    )
    op.create_index("ix_payout_line_household_id", "payout_line", ["household_id"])
    op.create_table(
        "payout_step",
        sa.Column("line_id", WholeNumber, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("paid_from", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("done_by", WholeNumber, nullable=False),
        sa.Column("done_at", Instant, nullable=False),
        sa.CheckConstraint(
            "step IN ('ordered', 'paid', 'stopped', 'returned')", name=op.f("ck_payout_step_step")
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_payout_step_positive")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["payout_line.id"], name=op.f("fk_payout_step_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payout_step_community_id")
        ),
        sa.ForeignKeyConstraint(["done_by"], ["person.id"], name=op.f("fk_payout_step_done_by")),
        sa.PrimaryKeyConstraint("line_id", "step", name=op.f("pk_payout_step")),
    )
    op.create_index(
        "ix_payout_step_bank_reference",
        "payout_step",
        ["community_id", "step", "bank_reference"],
        unique=True,
    )
    op.create_table(
        "payout_receipt",
        sa.Column("line_id", WholeNumber, nullable=False),
        sa.Column("confirmed_by", WholeNumber, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["payout_line.id"], name=op.f("fk_payout_receipt_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["person.id"], name=op.f("fk_payout_receipt_confirmed_by")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_payout_receipt")),
    )
    op.create_table(
        "payout_export",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("batch_id", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("exported_by", WholeNumber, nullable=False),
        sa.Column("exported_at", Instant, nullable=False),
        sa.CheckConstraint(
            "kind IN ('csv', 'xlsx', 'krungthai', 'pain001')", name=op.f("ck_payout_export_kind")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["payout_batch.id"], name=op.f("fk_payout_export_batch_id")
        ),
        sa.ForeignKeyConstraint(
            ["exported_by"], ["person.id"], name=op.f("fk_payout_export_exported_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_export")),
    )
    op.create_index("ix_payout_export_batch_id", "payout_export", ["batch_id"])
    protect("payout_step", "payout_receipt", "payout_export")
    open_in_every_book("payout_transit", "credit")


def downgrade() -> None:
    op.drop_index("ix_payout_export_batch_id", "payout_export")
    op.drop_table("payout_export")
    op.drop_table("payout_receipt")
    op.drop_index("ix_payout_step_bank_reference", "payout_step")
    op.drop_table("payout_step")
    op.drop_index("ix_payout_line_household_id", "payout_line")
    op.drop_table("payout_line")
    op.drop_index("ix_payout_batch_open", "payout_batch")
    op.drop_table("payout_batch")
    op.drop_index("ix_payee_household_id", "payee")
    op.drop_table("payee")
