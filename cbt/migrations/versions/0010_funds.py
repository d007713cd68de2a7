"""Contributions to funds, requests for money out of them, and loans of the revolving fund."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.accounts import open_in_every_book
from cbt.migrations.append_only import protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "fund_ceiling",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("fund", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("once_satang", WholeNumber, nullable=False),
        sa.Column("yearly_satang", WholeNumber, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", WholeNumber, nullable=False),
        sa.Column("set_at", Instant, nullable=False),
        sa.CheckConstraint(
            "purpose IN ('birth', 'illness', 'old_age', 'death', 'education', 'disaster', 'nature', 'works', 'supplies', 'meeting', 'pay')",
            name=op.f("ck_fund_ceiling_purpose"),
        ),
        sa.CheckConstraint(
            "once_satang > 0 AND yearly_satang >= once_satang", name=op.f("ck_fund_ceiling_amounts")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_fund_ceiling_community_id")
        ),
        sa.ForeignKeyConstraint(["set_by"], ["person.id"], name=op.f("fk_fund_ceiling_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_ceiling")),
    )
    op.create_index(
        "ix_fund_ceiling_community_id",
        "fund_ceiling",
        ["community_id", "fund", "purpose"],
        unique=False,
    )
    op.create_table(
        "contribution",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("fund", sa.Text(), nullable=False),
        sa.Column("giver", sa.Text(), nullable=False),
        sa.Column("household_id", WholeNumber, nullable=True),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "giver IN ('member', 'local_government', 'state', 'other')",
            name=op.f("ck_contribution_giver"),
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_contribution_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_contribution_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_contribution_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_contribution_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contribution")),
        sa.UniqueConstraint(
            "community_id",
            "bank_reference",
            name=op.f("uq_contribution_community_id_bank_reference"),
        ),
    )
    op.create_index(
        "ix_contribution_community_id", "contribution", ["community_id", "fund"], unique=False
    )
    op.create_table(
        "fund_claim",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("fund", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("household_id", WholeNumber, nullable=True),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("evidence_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", WholeNumber, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("paid_from", sa.Text(), nullable=True),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("paid_by", WholeNumber, nullable=True),
        sa.Column("confirmed_by", WholeNumber, nullable=True),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.Column("refused_for", sa.Text(), nullable=True),
        sa.Column("refused_by", WholeNumber, nullable=True),
        sa.Column("refused_at", Instant, nullable=True),
        sa.CheckConstraint(
            "(state IN ('paid', 'confirmed')) = (paid_on IS NOT NULL)",
            name=op.f("ck_fund_claim_paid"),
        ),
        sa.CheckConstraint("fund <> 'revolve'", name=op.f("ck_fund_claim_never_revolving")),
        sa.CheckConstraint(
            "purpose IN ('birth', 'illness', 'old_age', 'death', 'education', 'disaster', 'nature', 'works', 'supplies', 'meeting', 'pay')",
            name=op.f("ck_fund_claim_purpose"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'paid', 'confirmed', 'refused')",
            name=op.f("ck_fund_claim_state"),
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_fund_claim_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_fund_claim_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["person.id"], name=op.f("fk_fund_claim_confirmed_by")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_fund_claim_household_id")
        ),
        sa.ForeignKeyConstraint(["paid_by"], ["person.id"], name=op.f("fk_fund_claim_paid_by")),
        sa.ForeignKeyConstraint(
            ["refused_by"], ["person.id"], name=op.f("fk_fund_claim_refused_by")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["person.id"], name=op.f("fk_fund_claim_requested_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_claim")),
        sa.UniqueConstraint(
            "community_id", "bank_reference", name=op.f("uq_fund_claim_community_id_bank_reference")
        ),
    )
    op.create_index(
        "ix_fund_claim_community_id", "fund_claim", ["community_id", "state"], unique=False
    )
    op.create_table(
        "fund_evidence",
        sa.Column("claim_id", WholeNumber, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", WholeNumber, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('pdf', 'jpeg', 'png')", name=op.f("ck_fund_evidence_kind")),
        sa.CheckConstraint("size > 0", name=op.f("ck_fund_evidence_not_empty")),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["fund_claim.id"], name=op.f("fk_fund_evidence_claim_id")
        ),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("pk_fund_evidence")),
    )
    op.create_table(
        "loan",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=True),
        sa.Column("borrower", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("instalments", WholeNumber, nullable=False),
        sa.Column("first_due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", WholeNumber, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("lent_on", sa.Date(), nullable=True),
        sa.Column("paid_from", sa.Text(), nullable=True),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("lent_by", WholeNumber, nullable=True),
        sa.Column("waived_on", sa.Date(), nullable=True),
        sa.Column("refused_for", sa.Text(), nullable=True),
        sa.Column("refused_by", WholeNumber, nullable=True),
        sa.Column("refused_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'lent', 'repaid', 'waived', 'refused')",
            name=op.f("ck_loan_state"),
        ),
        sa.CheckConstraint("amount_satang > 0 AND instalments > 0", name=op.f("ck_loan_amounts")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_loan_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_loan_household_id")
        ),
        sa.ForeignKeyConstraint(["lent_by"], ["person.id"], name=op.f("fk_loan_lent_by")),
        sa.ForeignKeyConstraint(["refused_by"], ["person.id"], name=op.f("fk_loan_refused_by")),
        sa.ForeignKeyConstraint(["requested_by"], ["person.id"], name=op.f("fk_loan_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan")),
        sa.UniqueConstraint(
            "community_id", "bank_reference", name=op.f("uq_loan_community_id_bank_reference")
        ),
    )
    op.create_index("ix_loan_community_id", "loan", ["community_id", "state"], unique=False)
    op.create_table(
        "fund_approval",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("claim_id", WholeNumber, nullable=True),
        sa.Column("loan_id", WholeNumber, nullable=True),
        sa.Column("waives", sa.Boolean(), nullable=False),
        sa.Column("person_id", WholeNumber, nullable=False),
        sa.Column("approved_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(claim_id IS NULL) <> (loan_id IS NULL)", name=op.f("ck_fund_approval_about")
        ),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["fund_claim.id"], name=op.f("fk_fund_approval_claim_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_fund_approval_loan_id")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_fund_approval_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_approval")),
        sa.UniqueConstraint(
            "claim_id", "person_id", name=op.f("uq_fund_approval_claim_id_person_id")
        ),
        sa.UniqueConstraint(
            "loan_id", "waives", "person_id", name=op.f("uq_fund_approval_loan_id_waives_person_id")
        ),
    )
    op.create_table(
        "repayment",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("loan_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("repaid_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_repayment_positive")),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_repayment_loan_id")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_repayment_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repayment")),
        sa.UniqueConstraint(
            "loan_id", "bank_reference", name=op.f("uq_repayment_loan_id_bank_reference")
        ),
    )
    protect("fund_ceiling", "contribution", "fund_approval", "repayment", "fund_evidence")
    open_in_every_book("loans", "debit")


def downgrade() -> None:
    op.drop_index("ix_fund_ceiling_community_id", "fund_ceiling")
    op.drop_index("ix_contribution_community_id", "contribution")
    op.drop_index("ix_fund_claim_community_id", "fund_claim")
    op.drop_index("ix_loan_community_id", "loan")
    op.drop_table("repayment")
    op.drop_table("fund_approval")
    op.drop_table("loan")
    op.drop_table("fund_evidence")
    op.drop_table("fund_claim")
    op.drop_table("contribution")
    op.drop_table("fund_ceiling")
