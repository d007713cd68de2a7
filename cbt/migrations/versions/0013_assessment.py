"""Editions of the standard, assessments by them, and plans of action."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "standard_edition",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("entered_by", WholeNumber, nullable=False),
        sa.Column("entered_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["entered_by"], ["person.id"], name=op.f("fk_standard_edition_entered_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standard_edition")),
        sa.UniqueConstraint("name", name=op.f("uq_standard_edition_name")),
    )
    op.create_table(
        "standard_item",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("edition_id", WholeNumber, nullable=False),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("indices", WholeNumber, nullable=False),
        sa.CheckConstraint("number > 0 AND indices > 0", name=op.f("ck_standard_item_counts")),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["standard_edition.id"], name=op.f("fk_standard_item_edition_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standard_item")),
        sa.UniqueConstraint(
            "edition_id",
            "criterion",
            "number",
            name=op.f("uq_standard_item_edition_id_criterion_number"),
        ),
    )
    op.create_table(
        "assessment",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("edition_id", WholeNumber, nullable=False),
        sa.Column("assessor", sa.Text(), nullable=False),
        sa.Column("begun_by", WholeNumber, nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
        sa.Column("finished_by", WholeNumber, nullable=True),
        sa.Column("finished_at", Instant, nullable=True),
        sa.CheckConstraint(
            "assessor IN ('self', 'committee')", name=op.f("ck_assessment_assessor")
        ),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (finished_by IS NULL)", name=op.f("ck_assessment_finished")
        ),
        sa.ForeignKeyConstraint(["begun_by"], ["person.id"], name=op.f("fk_assessment_begun_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_assessment_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["standard_edition.id"], name=op.f("fk_assessment_edition_id")
        ),
        sa.ForeignKeyConstraint(
            ["finished_by"], ["person.id"], name=op.f("fk_assessment_finished_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index("ix_assessment_community_id", "assessment", ["community_id", "assessor"])
    op.create_table(
        "assessment_score",
        sa.Column("assessment_id", WholeNumber, nullable=False),
        sa.Column("item_id", WholeNumber, nullable=False),
        sa.Column("score", WholeNumber, nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("scored_by", WholeNumber, nullable=False),
        sa.Column("scored_at", Instant, nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 4", name=op.f("ck_assessment_score_range")),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_assessment_score_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["standard_item.id"], name=op.f("fk_assessment_score_item_id")
        ),
        sa.ForeignKeyConstraint(
            ["scored_by"], ["person.id"], name=op.f("fk_assessment_score_scored_by")
        ),
        sa.PrimaryKeyConstraint("assessment_id", "item_id", name=op.f("pk_assessment_score")),
    )
    op.create_table(
        "assessment_evidence",
        sa.Column("assessment_id", WholeNumber, nullable=False),
        sa.Column("item_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("is_record", sa.Boolean(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id", "item_id"],
            ["assessment_score.assessment_id", "assessment_score.item_id"],
            name=op.f("fk_assessment_evidence_assessment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "assessment_id", "item_id", "line", name=op.f("pk_assessment_evidence")
        ),
    )
    op.create_table(
        "assessment_action",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("done_by", WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_assessment_action_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["done_by"], ["person.id"], name=op.f("fk_assessment_action_done_by")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_assessment_action_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_action")),
    )
    op.create_index("ix_assessment_action_community_id", "assessment_action", ["community_id"])
    protect("standard_edition", "standard_item")


def downgrade() -> None:
    op.drop_index("ix_assessment_action_community_id", "assessment_action")
    op.drop_index("ix_assessment_community_id", "assessment")
    for table in (
        "assessment_action",
        "assessment_evidence",
        "assessment_score",
        "assessment",
        "standard_item",
        "standard_edition",
    ):
        op.drop_table(table)
