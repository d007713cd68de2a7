"""Recorded audit runs, findings with their steps, samples, and what a mentor's signature rests on."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_case",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("month", sa.Date(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("accused", WholeNumber, nullable=True),
        sa.CheckConstraint(
            "severity IN ('error', 'warning', 'advice')", name=op.f("ck_audit_case_severity")
        ),
        sa.CheckConstraint(
            "words <> '' OR source <> ''", name=op.f("ck_audit_case_something_is_said")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_audit_case_number")),
        sa.ForeignKeyConstraint(["accused"], ["person.id"], name=op.f("fk_audit_case_accused")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_audit_case_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_case")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_audit_case_community_id_number")
        ),
    )
    op.create_table(
        "audit_evidence",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", WholeNumber, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("kept_by", WholeNumber, nullable=False),
        sa.Column("kept_at", Instant, nullable=False),
        sa.CheckConstraint("kind IN ('pdf', 'jpeg', 'png')", name=op.f("ck_audit_evidence_kind")),
        sa.CheckConstraint("size > 0", name=op.f("ck_audit_evidence_not_empty")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_audit_evidence_community_id")
        ),
        sa.ForeignKeyConstraint(["kept_by"], ["person.id"], name=op.f("fk_audit_evidence_kept_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_evidence")),
    )
    op.create_index(
        "ix_audit_evidence_community_id", "audit_evidence", ["community_id"], unique=False
    )
    op.create_table(
        "audit_case_step",
        sa.Column("case_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column("evidence_id", WholeNumber, nullable=True),
        sa.Column("done_by", WholeNumber, nullable=False),
        sa.Column("done_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(step = 'opened') = (number = 1)", name=op.f("ck_audit_case_step_first")
        ),
        sa.CheckConstraint(
            "(step IN ('opened', 'reopened')) = (answer_by IS NOT NULL)",
            name=op.f("ck_audit_case_step_due"),
        ),
        sa.CheckConstraint("step = 'opened' OR words <> ''", name=op.f("ck_audit_case_step_words")),
        sa.CheckConstraint(
            "step IN ('opened', 'answered', 'closed', 'reopened')",
            name=op.f("ck_audit_case_step_step"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["audit_case.id"], name=op.f("fk_audit_case_step_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["done_by"], ["person.id"], name=op.f("fk_audit_case_step_done_by")
        ),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["audit_evidence.id"], name=op.f("fk_audit_case_step_evidence_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_audit_case_step")),
    )
    op.create_table(
        "audit_run",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("period_id", WholeNumber, nullable=True),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("made_by", WholeNumber, nullable=True),
        sa.Column("head_seq", WholeNumber, nullable=False),
        sa.Column("looked_at", WholeNumber, nullable=False),
        sa.Column("problems", WholeNumber, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "head_seq >= 0 AND looked_at >= 0 AND problems >= 0", name=op.f("ck_audit_run_counts")
        ),
        sa.CheckConstraint(
            "looked_at > 0 OR problems > 0", name=op.f("ck_audit_run_nothing_seen_is_no_pass")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_audit_run_community_id")
        ),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name=op.f("fk_audit_run_made_by")),
        sa.ForeignKeyConstraint(["period_id"], ["period.id"], name=op.f("fk_audit_run_period_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_run")),
    )
    op.create_index("ix_audit_run_community_id", "audit_run", ["community_id", "id"], unique=False)
    op.create_table(
        "audit_sample",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("population", WholeNumber, nullable=False),
        sa.Column("drawn_by", WholeNumber, nullable=False),
        sa.Column("drawn_at", Instant, nullable=False),
        sa.CheckConstraint(
            "population >= 0 AND length(seed) = 32", name=op.f("ck_audit_sample_drawn")
        ),
        sa.ForeignKeyConstraint(["drawn_by"], ["person.id"], name=op.f("fk_audit_sample_drawn_by")),
        sa.ForeignKeyConstraint(
            ["period_id"], ["period.id"], name=op.f("fk_audit_sample_period_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_sample")),
        sa.UniqueConstraint("period_id", name=op.f("uq_audit_sample_period_id")),
    )
    op.create_table(
        "mentor_tie",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("person_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("told_at", Instant, nullable=False),
        sa.CheckConstraint("words <> ''", name=op.f("ck_mentor_tie_words")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_mentor_tie_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_mentor_tie_household_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_mentor_tie_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_tie")),
        sa.UniqueConstraint(
            "community_id",
            "person_id",
            "household_id",
            name=op.f("uq_mentor_tie_community_id_person_id_household_id"),
        ),
    )
    op.create_table(
        "audit_look",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("sample_id", WholeNumber, nullable=False),
        sa.Column("place", WholeNumber, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("evidence_id", WholeNumber, nullable=True),
        sa.Column("case_id", WholeNumber, nullable=True),
        sa.Column("looked_by", WholeNumber, nullable=False),
        sa.Column("looked_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["audit_case.id"], name=op.f("fk_audit_look_case_id")),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["audit_evidence.id"], name=op.f("fk_audit_look_evidence_id")
        ),
        sa.ForeignKeyConstraint(["looked_by"], ["person.id"], name=op.f("fk_audit_look_looked_by")),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["audit_sample.id"], name=op.f("fk_audit_look_sample_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_look")),
    )
    op.create_index("ix_audit_look_sample_id", "audit_look", ["sample_id", "place"], unique=False)
    op.create_table(
        "audit_sample_item",
        sa.Column("sample_id", WholeNumber, nullable=False),
        sa.Column("place", WholeNumber, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["audit_sample.id"], name=op.f("fk_audit_sample_item_sample_id")
        ),
        sa.PrimaryKeyConstraint("sample_id", "place", name=op.f("pk_audit_sample_item")),
        sa.UniqueConstraint(
            "sample_id", "reference", name=op.f("uq_audit_sample_item_sample_id_reference")
        ),
    )
    op.create_table(
        "sign_off",
        sa.Column("period_id", WholeNumber, nullable=False),
        sa.Column("run_id", WholeNumber, nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("sample_size", WholeNumber, nullable=False),
        sa.Column("looked_at", WholeNumber, nullable=False),
        sa.Column("signed_by", WholeNumber, nullable=False),
        sa.Column("signed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["period_id"], ["period.id"], name=op.f("fk_sign_off_period_id")),
        sa.ForeignKeyConstraint(["run_id"], ["audit_run.id"], name=op.f("fk_sign_off_run_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["person.id"], name=op.f("fk_sign_off_signed_by")),
        sa.PrimaryKeyConstraint("period_id", name=op.f("pk_sign_off")),
    )
    protect(
        "audit_case",
        "audit_evidence",
        "audit_case_step",
        "audit_run",
        "audit_sample",
        "mentor_tie",
        "audit_look",
        "audit_sample_item",
        "sign_off",
    )


def downgrade() -> None:
    op.drop_table("sign_off")
    op.drop_table("audit_sample_item")
    op.drop_index("ix_audit_look_sample_id", "audit_look")
    op.drop_table("audit_look")
    op.drop_table("mentor_tie")
    op.drop_table("audit_sample")
    op.drop_index("ix_audit_run_community_id", "audit_run")
    op.drop_table("audit_run")
    op.drop_table("audit_case_step")
    op.drop_index("ix_audit_evidence_community_id", "audit_evidence")
    op.drop_table("audit_evidence")
    op.drop_table("audit_case")
