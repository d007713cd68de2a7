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
    "rotation_event",
    "share_event",
    "work_answer",
    "work_confirmation",
    "work_dispute",
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
        "rotation_event",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("other_household_id", WholeNumber, nullable=True),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("capacity", WholeNumber, nullable=True),
        sa.Column("weekdays", WholeNumber, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("about_id", WholeNumber, nullable=True),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "(kind = 'skipped') = (reason IS NOT NULL)", name=op.f("ck_rotation_event_reason_given")
        ),
        sa.CheckConstraint(
            "(kind = 'swap_asked') = (other_household_id IS NOT NULL)",
            name=op.f("ck_rotation_event_other"),
        ),
        sa.CheckConstraint(
            "(kind = 'terms') = (capacity IS NOT NULL)", name=op.f("ck_rotation_event_terms")
        ),
        sa.CheckConstraint(
            "(kind IN ('swap_agreed', 'withdrawn')) = (about_id IS NOT NULL)",
            name=op.f("ck_rotation_event_about"),
        ),
        sa.CheckConstraint(
            "kind IN ('terms', 'away', 'skipped', 'swap_asked', 'swap_agreed', 'withdrawn')",
            name=op.f("ck_rotation_event_kind"),
        ),
        sa.CheckConstraint(
            "reason IN ('sick', 'family', 'faith', 'broken', 'busy', 'none')",
            name=op.f("ck_rotation_event_reason"),
        ),
        sa.CheckConstraint(
            "task IN ('boat', 'guide', 'cook', 'host', 'craft', 'crab_bank', 'prepare')",
            name=op.f("ck_rotation_event_task"),
        ),
        sa.CheckConstraint(
            "capacity >= 0 AND weekdays BETWEEN 0 AND 127", name=op.f("ck_rotation_event_amounts")
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_rotation_event_span")),
        sa.ForeignKeyConstraint(
            ["about_id"], ["rotation_event.id"], name=op.f("fk_rotation_event_about_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_rotation_event_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_rotation_event_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["other_household_id"],
            ["household.id"],
            name=op.f("fk_rotation_event_other_household_id"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_rotation_event_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_event")),
        sa.UniqueConstraint("about_id", "kind", name=op.f("uq_rotation_event_about_id_kind")),
    )
    with op.batch_alter_table("rotation_event") as batch_op:
        batch_op.create_index(
            "ix_rotation_event_community_id", ["community_id", "task"], unique=False
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
    op.create_table(
        "work_confirmation",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("confirmed_by", WholeNumber, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=False),
        sa.CheckConstraint(
            "confirmed_by <> recorded_by", name=op.f("ck_work_confirmation_second_person")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["person.id"], name=op.f("fk_work_confirmation_confirmed_by")
        ),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_work_confirmation_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_work_confirmation_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_work_confirmation_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_confirmation")),
        sa.UniqueConstraint(
            "departure_id",
            "household_id",
            "content_sha256",
            name=op.f("uq_work_confirmation_departure_id_household_id_content_sha256"),
        ),
    )
    op.create_table(
        "work_dispute",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=True),
        sa.Column("raised_by", WholeNumber, nullable=False),
        sa.Column("raised_at", Instant, nullable=False),
        sa.Column("answerer_id", WholeNumber, nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_work_dispute_reason")),
        sa.ForeignKeyConstraint(
            ["answerer_id"], ["person.id"], name=op.f("fk_work_dispute_answerer_id")
        ),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_work_dispute_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_work_dispute_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["raised_by"], ["person.id"], name=op.f("fk_work_dispute_raised_by")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_work_dispute_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_dispute")),
    )
    with op.batch_alter_table("work_dispute") as batch_op:
        batch_op.create_index("ix_work_dispute_departure_id", ["departure_id"], unique=False)

    op.create_table(
        "work_answer",
        sa.Column("dispute_id", WholeNumber, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("answered_by", WholeNumber, nullable=False),
        sa.Column("answered_at", Instant, nullable=False),
        sa.CheckConstraint("length(words) > 0", name=op.f("ck_work_answer_words")),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["person.id"], name=op.f("fk_work_answer_answered_by")
        ),
        sa.ForeignKeyConstraint(
            ["dispute_id"], ["work_dispute.id"], name=op.f("fk_work_answer_dispute_id")
        ),
        sa.PrimaryKeyConstraint("dispute_id", name=op.f("pk_work_answer")),
    )
    protect(*NEW_FACTS)


def downgrade() -> None:
    unprotect(*NEW_FACTS)
    op.drop_table("work_answer")
    with op.batch_alter_table("work_dispute") as batch_op:
        batch_op.drop_index("ix_work_dispute_departure_id")

    op.drop_table("work_dispute")
    op.drop_table("work_confirmation")
    op.drop_table("ownership_decision")
    with op.batch_alter_table("share_event") as batch_op:
        batch_op.drop_index("ix_share_event_asset_id")

    op.drop_table("share_event")
    with op.batch_alter_table("asset_use") as batch_op:
        batch_op.drop_index("ix_asset_use_experience_id")

    op.drop_table("asset_use")
    with op.batch_alter_table("rotation_event") as batch_op:
        batch_op.drop_index("ix_rotation_event_community_id")

    op.drop_table("rotation_event")
    op.drop_table("asset")
