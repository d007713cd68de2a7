"""Co-owned assets, share registers, turns, and who confirmed which work."""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect, unprotect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

NEW_FACTS = (
    "asset",
    "asset_use",
    "ownership_decision",
    "share_event",
)


def upgrade() -> None:
    op.create_table(
        "asset",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("experience_id", WholeNumber, nullable=True),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(kind = 'experience') = (experience_id IS NOT NULL)", name=op.f("ck_asset_experience")
        ),
        sa.CheckConstraint(
            "kind IN ('boat', 'building', 'equipment', 'land', 'experience')",
            name=op.f("ck_asset_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_asset_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["experience_id"], ["experience.id"], name=op.f("fk_asset_experience_id")
        ),
        sa.ForeignKeyConstraint(["recorded_by"], ["person.id"], name=op.f("fk_asset_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_asset_community_id_code")),
        sa.UniqueConstraint("experience_id", name=op.f("uq_asset_experience_id")),
    )
    op.create_table(
        "asset_use",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("experience_id", WholeNumber, nullable=False),
        sa.Column("asset_id", WholeNumber, nullable=True),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_use_asset_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_asset_use_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["experience_id"], ["experience.id"], name=op.f("fk_asset_use_experience_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_asset_use_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_use")),
    )
    with op.batch_alter_table("asset_use") as batch_op:
        batch_op.create_index(
            "ix_asset_use_experience_id", ["experience_id", "effective_on"], unique=False
        )

    op.create_table(
        "share_event",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("asset_id", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_household_id", WholeNumber, nullable=True),
        sa.Column("to_household_id", WholeNumber, nullable=True),
        sa.Column("shares", WholeNumber, nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_sha256", sa.Text(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(kind = 'issue') = (from_household_id IS NULL) AND (kind = 'redeem') = (to_household_id IS NULL) AND (from_household_id IS NULL OR to_household_id IS NULL OR from_household_id <> to_household_id)",
            name=op.f("ck_share_event_parties"),
        ),
        sa.CheckConstraint(
            "kind IN ('issue', 'transfer', 'redeem')", name=op.f("ck_share_event_kind")
        ),
        sa.CheckConstraint("length(document_sha256) = 64", name=op.f("ck_share_event_document")),
        sa.CheckConstraint("shares > 0", name=op.f("ck_share_event_positive")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_share_event_asset_id")),
        sa.ForeignKeyConstraint(
            ["from_household_id"], ["household.id"], name=op.f("fk_share_event_from_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_share_event_recorded_by")
        ),
        sa.ForeignKeyConstraint(
            ["to_household_id"], ["household.id"], name=op.f("fk_share_event_to_household_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_event")),
    )
    with op.batch_alter_table("share_event") as batch_op:
        batch_op.create_index("ix_share_event_asset_id", ["asset_id"], unique=False)

    op.create_table(
        "ownership_decision",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("event_id", WholeNumber, nullable=True),
        sa.Column("use_id", WholeNumber, nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_by", WholeNumber, nullable=False),
        sa.Column("decided_at", Instant, nullable=False),
        sa.CheckConstraint(
            "decision IN ('confirmed', 'refused')", name=op.f("ck_ownership_decision_decision")
        ),
        sa.CheckConstraint(
            "(event_id IS NULL) <> (use_id IS NULL)", name=op.f("ck_ownership_decision_about_one")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_ownership_decision_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["share_event.id"], name=op.f("fk_ownership_decision_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["use_id"], ["asset_use.id"], name=op.f("fk_ownership_decision_use_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownership_decision")),
        sa.UniqueConstraint("event_id", name=op.f("uq_ownership_decision_event_id")),
        sa.UniqueConstraint("use_id", name=op.f("uq_ownership_decision_use_id")),
    )
    protect(*NEW_FACTS)


def downgrade() -> None:
    unprotect(*NEW_FACTS)
    op.drop_table("ownership_decision")
    with op.batch_alter_table("share_event") as batch_op:
        batch_op.drop_index("ix_share_event_asset_id")

    op.drop_table("share_event")
    with op.batch_alter_table("asset_use") as batch_op:
        batch_op.drop_index("ix_asset_use_experience_id")

    op.drop_table("asset_use")
    op.drop_table("asset")
