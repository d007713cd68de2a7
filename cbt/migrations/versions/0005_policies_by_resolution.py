"""Split policies as people propose and adopt them, and the pool that dividends flow into.

Policies that stood before were recorded without a proposal or a file of minutes, and stay so.
"""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.accounts import open_in_every_book
from cbt.migrations.append_only import protect, unprotect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

FACTS = ("policy_proposal", "minutes_file", "policy_resolution")
POOL = "pool:dividend"
USES_NATURE = "uses_nature IN ('unknown', 'yes', 'no')"


def upgrade() -> None:
    op.create_table(
        "policy_draft",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("uses_nature", sa.Text(), nullable=False),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.Column("begun_by", WholeNumber, nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
        sa.CheckConstraint(USES_NATURE, name=op.f("ck_policy_draft_uses_nature")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_policy_draft_community_id")
        ),
        sa.ForeignKeyConstraint(["begun_by"], ["person.id"], name=op.f("fk_policy_draft_begun_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_draft")),
    )
    op.create_index("ix_policy_draft_community_id", "policy_draft", ["community_id"])
    op.create_table(
        "policy_proposal",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("replaces_id", WholeNumber, nullable=True),
        sa.Column("uses_nature", sa.Text(), nullable=False),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.Column("proposed_by", WholeNumber, nullable=False),
        sa.Column("proposed_at", Instant, nullable=False),
        sa.CheckConstraint(USES_NATURE, name=op.f("ck_policy_proposal_uses_nature")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_policy_proposal_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["policy_version.id"], name=op.f("fk_policy_proposal_replaces_id")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["person.id"], name=op.f("fk_policy_proposal_proposed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_proposal")),
    )
    op.create_index("ix_policy_proposal_community_id", "policy_proposal", ["community_id"])
    op.create_table(
        "minutes_file",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", WholeNumber, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("kept_by", WholeNumber, nullable=False),
        sa.Column("kept_at", Instant, nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_minutes_file_not_empty")),
        sa.CheckConstraint("kind IN ('pdf', 'jpeg', 'png')", name=op.f("ck_minutes_file_kind")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_minutes_file_community_id")
        ),
        sa.ForeignKeyConstraint(["kept_by"], ["person.id"], name=op.f("fk_minutes_file_kept_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes_file")),
    )
    op.create_index("ix_minutes_file_community_id", "minutes_file", ["community_id"])
    op.create_table(
        "policy_resolution",
        sa.Column("policy_version_id", WholeNumber, nullable=False),
        sa.Column("proposal_id", WholeNumber, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("voted_against", WholeNumber, nullable=False),
        sa.Column("abstained", WholeNumber, nullable=False),
        sa.Column("quorum_bp", WholeNumber, nullable=False),
        sa.Column("rulings", sa.JSON(), nullable=False),
        sa.Column("explanations", sa.JSON(), nullable=False),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("minutes_id", WholeNumber, nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "voted_against >= 0 AND abstained >= 0", name=op.f("ck_policy_resolution_votes")
        ),
        sa.CheckConstraint(
            "quorum_bp > 0 AND quorum_bp <= 10000", name=op.f("ck_policy_resolution_quorum")
        ),
        sa.ForeignKeyConstraint(
            ["policy_version_id"],
            ["policy_version.id"],
            name=op.f("fk_policy_resolution_policy_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["policy_proposal.id"], name=op.f("fk_policy_resolution_proposal_id")
        ),
        sa.ForeignKeyConstraint(
            ["minutes_id"], ["minutes_file.id"], name=op.f("fk_policy_resolution_minutes_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_policy_resolution_recorded_by")
        ),
        sa.PrimaryKeyConstraint("policy_version_id", name=op.f("pk_policy_resolution")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_policy_resolution_proposal_id")),
    )
    open_in_every_book(POOL, "credit")
    protect(*FACTS)


def downgrade() -> None:
    """Accounts stay: what was posted to them could not be taken back."""
    unprotect(*FACTS)
    op.drop_table("policy_resolution")
    for table in ("minutes_file", "policy_proposal", "policy_draft"):
        op.drop_index(f"ix_{table}_community_id", table)
        op.drop_table(table)
