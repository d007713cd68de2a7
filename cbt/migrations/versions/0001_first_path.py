"""The tables of the first path, and the triggers that keep facts and books from being changed.

A later migration that recreates one of the append-only tables (SQLite's batch mode does) must
create its triggers again; the start-up self-test refuses to serve without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

APPEND_ONLY = (
    "ledger_account",
    "entry",
    "leg",
    "policy_version",
    "booking_line",
    "booking_cost",
    "capture",
    "transfer_confirmation",
    "settlement",
)
REFUSE_ON_POSTGRESQL = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = 'append-only: ' || TG_OP || ' on ' || TG_TABLE_NAME || ' is refused',
        ERRCODE = 'restrict_violation';
END
$body$
"""


def upgrade() -> None:
    op.create_table(
        "book",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("genesis_hash", sa.Text(), nullable=False),
        sa.Column("head_seq", WholeNumber, nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book")),
        sa.UniqueConstraint("code", name=op.f("uq_book_code")),
    )
    op.create_table(
        "demo_event",
        sa.Column("provider_ref", sa.Text(), nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("happens_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("provider_ref", "number", name=op.f("pk_demo_event")),
    )
    op.create_table(
        "notice",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", WholeNumber, nullable=False),
        sa.Column("queued_at", Instant, nullable=False),
        sa.Column("send_after", Instant, nullable=False),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'sent', 'failed')", name=op.f("ck_notice_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", name=op.f("uq_notice_key")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_state", ["state", "send_after"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("sign_in_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("sign_in_epoch", WholeNumber, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("sign_in_name", name=op.f("uq_person_sign_in_name")),
    )
    op.create_table(
        "pulse",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("beat_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pulse")),
    )
    op.create_table(
        "community",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("book_id", WholeNumber, nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("story", sa.JSON(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("tambon", sa.JSON(), nullable=False),
        sa.Column("district", sa.JSON(), nullable=False),
        sa.Column("province", sa.JSON(), nullable=False),
        sa.Column("province_code", sa.Text(), nullable=False),
        sa.Column("contact", sa.JSON(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.Column("settlements", WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_community_book_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community")),
        sa.UniqueConstraint("book_id", name=op.f("uq_community_book_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_community_slug")),
    )
    op.create_table(
        "entry",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("book_id", WholeNumber, nullable=False),
        sa.Column("seq", WholeNumber, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("reverses", WholeNumber, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("leg_count", WholeNumber, nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("ck_entry_seq")),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_entry_book_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("book_id", "key", name=op.f("uq_entry_book_id_key")),
        sa.UniqueConstraint("book_id", "seq", name=op.f("uq_entry_book_id_seq")),
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index(
            "ix_entry_book_id_effective_on", ["book_id", "effective_on"], unique=False
        )
        batch_op.create_index("ix_entry_book_id_subject", ["book_id", "subject"], unique=False)

    op.create_table(
        "ledger_account",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("book_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("normal_side", sa.Text(), nullable=False),
        sa.Column("may_go_negative", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "normal_side IN ('debit', 'credit')", name=op.f("ck_ledger_account_side")
        ),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_ledger_account_book_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint("book_id", "code", name=op.f("uq_ledger_account_book_id_code")),
    )
    op.create_table(
        "account_balance",
        sa.Column("account_id", WholeNumber, nullable=False),
        sa.Column("may_go_negative", sa.Boolean(), nullable=False),
        sa.Column("balance_satang", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "may_go_negative OR balance_satang >= 0", name=op.f("ck_account_balance_not_below_zero")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_account.id"], name=op.f("fk_account_balance_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_balance")),
    )
    op.create_table(
        "experience",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("position", WholeNumber, nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("picture_text", sa.JSON(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("included", sa.JSON(), nullable=False),
        sa.Column("bring", sa.JSON(), nullable=False),
        sa.Column("meeting_point", sa.JSON(), nullable=False),
        sa.Column("safety", sa.JSON(), nullable=False),
        sa.Column("access", sa.JSON(), nullable=False),
        sa.Column("food", sa.JSON(), nullable=False),
        sa.Column("refund", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_experience_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experience")),
        sa.UniqueConstraint("community_id", "slug", name=op.f("uq_experience_community_id_slug")),
    )
    op.create_table(
        "household",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("position", WholeNumber, nullable=False),
        sa.Column("active_from", sa.Date(), nullable=False),
        sa.Column("active_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_household_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_household_community_id_code")),
    )
    op.create_table(
        "leg",
        sa.Column("entry_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("from_account_id", WholeNumber, nullable=False),
        sa.Column("to_account_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.CheckConstraint("typeof(amount_satang) = 'integer'", name=op.f("ck_leg_whole")).ddl_if(
            dialect="sqlite"
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_leg_positive")),
        sa.CheckConstraint("from_account_id <> to_account_id", name=op.f("ck_leg_two_accounts")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_leg_entry_id")),
        sa.ForeignKeyConstraint(
            ["from_account_id"], ["ledger_account.id"], name=op.f("fk_leg_from_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["to_account_id"], ["ledger_account.id"], name=op.f("fk_leg_to_account_id")
        ),
        sa.PrimaryKeyConstraint("entry_id", "line", name=op.f("pk_leg")),
    )
    with op.batch_alter_table("leg", schema=None) as batch_op:
        batch_op.create_index(
            "ix_leg_from_account_id", ["from_account_id", "amount_satang"], unique=False
        )
        batch_op.create_index(
            "ix_leg_to_account_id", ["to_account_id", "amount_satang"], unique=False
        )

    op.create_table(
        "payment_account",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("position", WholeNumber, nullable=False),
        sa.Column("receiver", sa.JSON(), nullable=False),
        sa.Column("receiver_name", sa.JSON(), nullable=False),
        sa.Column("attempts", WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payment_account_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_account")),
        sa.UniqueConstraint(
            "community_id", "provider", name=op.f("uq_payment_account_community_id_provider")
        ),
    )
    op.create_table(
        "policy_version",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("adopted_on", sa.Date(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("meeting", sa.JSON(), nullable=False),
        sa.Column("households", WholeNumber, nullable=False),
        sa.Column("present", WholeNumber, nullable=False),
        sa.Column("voted_for", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "effective_from >= adopted_on", name=op.f("ck_policy_version_never_before_adoption")
        ),
        sa.CheckConstraint(
            "present > 0 AND voted_for * 2 > present AND voted_for <= present",
            name=op.f("ck_policy_version_majority"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_policy_version_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_policy_version_community_id_number")
        ),
    )
    op.create_table(
        "experience_option",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("experience_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("duration_minutes", WholeNumber, nullable=False),
        sa.Column("nights", WholeNumber, nullable=False),
        sa.Column("min_party", WholeNumber, nullable=False),
        sa.Column("max_party", WholeNumber, nullable=False),
        sa.Column("capacity", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "duration_minutes > 0 AND nights >= 0", name=op.f("ck_experience_option_duration")
        ),
        sa.CheckConstraint(
            "min_party >= 1 AND max_party >= min_party", name=op.f("ck_experience_option_party")
        ),
        sa.ForeignKeyConstraint(
            ["experience_id"], ["experience.id"], name=op.f("fk_experience_option_experience_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experience_option")),
        sa.UniqueConstraint(
            "experience_id", "code", name=op.f("uq_experience_option_experience_id_code")
        ),
    )
    with op.batch_alter_table("experience_option", schema=None) as batch_op:
        batch_op.create_index("ix_experience_option_experience_id", ["experience_id"], unique=False)

    op.create_table(
        "member",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("joined_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_member_household_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_household_id"), ["household_id"], unique=False)

    op.create_table(
        "role_grant",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("person_id", WholeNumber, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("community_id", WholeNumber, nullable=True),
        sa.Column("household_id", WholeNumber, nullable=True),
        sa.Column("granted_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.CheckConstraint(
            "(role = 'admin') = (community_id IS NULL)", name=op.f("ck_role_grant_community")
        ),
        sa.CheckConstraint(
            "(role = 'household') = (household_id IS NOT NULL)",
            name=op.f("ck_role_grant_household"),
        ),
        sa.CheckConstraint(
            "role IN ('coordinator', 'treasurer', 'household', 'mentor', 'admin')",
            name=op.f("ck_role_grant_role"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_role_grant_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_role_grant_household_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_role_grant_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.create_index("ix_role_grant_person_id", ["person_id"], unique=False)

    op.create_table(
        "departure",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("option_id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("begins_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("capacity", WholeNumber, nullable=False),
        sa.Column("claimed", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'settled')", name=op.f("ck_departure_state")),
        sa.CheckConstraint(
            "claimed >= 0 AND claimed <= capacity", name=op.f("ck_departure_never_oversold")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_departure_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["option_id"], ["experience_option.id"], name=op.f("fk_departure_option_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departure")),
        sa.UniqueConstraint(
            "option_id",
            "starts_on",
            "starts_at",
            name=op.f("uq_departure_option_id_starts_on_starts_at"),
        ),
    )
    with op.batch_alter_table("departure", schema=None) as batch_op:
        batch_op.create_index(
            "ix_departure_community_id", ["community_id", "starts_on"], unique=False
        )
        batch_op.create_index("ix_departure_starts_on", ["starts_on"], unique=False)

    op.create_table(
        "option_cost",
        sa.Column("option_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("per_guest", sa.Boolean(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_option_cost_positive")),
        sa.ForeignKeyConstraint(
            ["option_id"], ["experience_option.id"], name=op.f("fk_option_cost_option_id")
        ),
        sa.PrimaryKeyConstraint("option_id", "line", name=op.f("pk_option_cost")),
    )
    op.create_table(
        "option_price",
        sa.Column("option_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("price_satang", WholeNumber, nullable=False),
        sa.Column("places", WholeNumber, nullable=False),
        sa.Column("min_age", WholeNumber, nullable=False),
        sa.Column("max_age", WholeNumber, nullable=True),
        sa.CheckConstraint(
            "unit IN ('ADULT', 'CHILD', 'INFANT')", name=op.f("ck_option_price_unit")
        ),
        sa.CheckConstraint(
            "price_satang >= 0 AND places >= 0", name=op.f("ck_option_price_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["option_id"], ["experience_option.id"], name=op.f("fk_option_price_option_id")
        ),
        sa.PrimaryKeyConstraint("option_id", "line", name=op.f("pk_option_price")),
    )
    op.create_table(
        "booking",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("policy_version_id", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held_until", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("places", WholeNumber, nullable=False),
        sa.Column("price_satang", WholeNumber, nullable=False),
        sa.Column("guest_name", sa.Text(), nullable=True),
        sa.Column("guest_email", sa.Text(), nullable=True),
        sa.Column("guest_phone", sa.Text(), nullable=True),
        sa.Column("food_needs", sa.Text(), nullable=True),
        sa.Column("access_needs", sa.Text(), nullable=True),
        sa.Column("needs_consent_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'lapsed', 'confirmed', 'settled')", name=op.f("ck_booking_state")
        ),
        sa.CheckConstraint("places > 0 AND price_satang > 0", name=op.f("ck_booking_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_booking_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_booking_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["policy_version_id"], ["policy_version.id"], name=op.f("fk_booking_policy_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
        sa.UniqueConstraint("reference", name=op.f("uq_booking_reference")),
        sa.UniqueConstraint("request_key", name=op.f("uq_booking_request_key")),
    )
    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.create_index("ix_booking_departure_id", ["departure_id"], unique=False)
        batch_op.create_index("ix_booking_state", ["state", "held_until"], unique=False)

    op.create_table(
        "service_record",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("units", WholeNumber, nullable=False),
        sa.Column("minutes", WholeNumber, nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("units > 0 AND minutes >= 0", name=op.f("ck_service_record_amounts")),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_service_record_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_service_record_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_service_record_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_record")),
        sa.UniqueConstraint(
            "departure_id", "line", name=op.f("uq_service_record_departure_id_line")
        ),
    )
    op.create_table(
        "settlement",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("service_on", sa.Date(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("settled_at", Instant, nullable=False),
        sa.Column("settled_by", WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_settlement_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_settlement_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by"], ["person.id"], name=op.f("fk_settlement_settled_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_settlement_community_id_number")
        ),
        sa.UniqueConstraint("departure_id", name=op.f("uq_settlement_departure_id")),
    )
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.create_index(
            "ix_settlement_community_id", ["community_id", "service_on"], unique=False
        )

    op.create_table(
        "attempt",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("qr_payload", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("reported_at", Instant, nullable=True),
        sa.Column("looked_up_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'reported', 'failed', 'expired', 'paid')",
            name=op.f("ck_attempt_state"),
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_attempt_positive")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_attempt_booking_id")),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_attempt_payment_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("booking_id", "number", name=op.f("uq_attempt_booking_id_number")),
        sa.UniqueConstraint("provider_ref", name=op.f("uq_attempt_provider_ref")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(
            "ix_attempt_payment_account_id", ["payment_account_id", "state"], unique=False
        )
        batch_op.create_index("ix_attempt_state", ["state", "looked_up_at"], unique=False)

    op.create_table(
        "booking_cost",
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_booking_cost_positive")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_cost_booking_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", "line", name=op.f("pk_booking_cost")),
    )
    op.create_table(
        "booking_line",
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", WholeNumber, nullable=False),
        sa.Column("price_satang", WholeNumber, nullable=False),
        sa.Column("places", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND price_satang >= 0 AND places >= 0",
            name=op.f("ck_booking_line_amounts"),
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_line_booking_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", "line", name=op.f("pk_booking_line")),
    )
    op.create_table(
        "capture",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("attempt_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("fee_satang", WholeNumber, nullable=False),
        sa.Column("paid_at", Instant, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("receipt_number", WholeNumber, nullable=False),
        sa.Column("buys", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "amount_satang > 0 AND fee_satang >= 0", name=op.f("ck_capture_amounts")
        ),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_capture_attempt_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_capture_booking_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_capture_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture")),
        sa.UniqueConstraint(
            "community_id", "receipt_number", name=op.f("uq_capture_community_id_receipt_number")
        ),
        sa.UniqueConstraint("provider", "payment_id", name=op.f("uq_capture_provider_payment_id")),
    )
    with op.batch_alter_table("capture", schema=None) as batch_op:
        batch_op.create_index("ix_capture_booking_id", ["booking_id"], unique=False)

    op.create_table(
        "transfer_confirmation",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("attempt_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("confirmed_by", WholeNumber, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_transfer_confirmation_attempt_id")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["person.id"], name=op.f("fk_transfer_confirmation_confirmed_by")
        ),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_transfer_confirmation_payment_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_confirmation")),
        sa.UniqueConstraint(
            "payment_account_id",
            "bank_reference",
            name=op.f("uq_transfer_confirmation_payment_account_id_bank_reference"),
        ),
    )
    with op.batch_alter_table("transfer_confirmation", schema=None) as batch_op:
        batch_op.create_index("ix_transfer_confirmation_attempt_id", ["attempt_id"], unique=False)

    op.create_table(
        "refund",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("capture_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("fee_returned_satang", WholeNumber, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("done_at", Instant, nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'succeeded') = (done_at IS NOT NULL)", name=op.f("ck_refund_done")
        ),
        sa.CheckConstraint("state IN ('requested', 'succeeded')", name=op.f("ck_refund_state")),
        sa.CheckConstraint(
            "amount_satang > 0 AND fee_returned_satang >= 0", name=op.f("ck_refund_amounts")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_refund_booking_id")),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_refund_capture_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_refund_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("capture_id", name=op.f("uq_refund_capture_id")),
    )
    with op.batch_alter_table("refund", schema=None) as batch_op:
        batch_op.create_index("ix_refund_community_id", ["community_id", "state"], unique=False)

    protect_append_only_tables()


def protect_append_only_tables() -> None:
    """Refuse UPDATE, DELETE, REPLACE and TRUNCATE on tables that hold facts and books."""
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, 'append-only: {verb} on {table} is refused'); END"
                )
        return
    op.execute(REFUSE_ON_POSTGRESQL)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_change")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuses_truncate")


def downgrade() -> None:
    with op.batch_alter_table("refund", schema=None) as batch_op:
        batch_op.drop_index("ix_refund_community_id")

    op.drop_table("refund")
    with op.batch_alter_table("transfer_confirmation", schema=None) as batch_op:
        batch_op.drop_index("ix_transfer_confirmation_attempt_id")

    op.drop_table("transfer_confirmation")
    with op.batch_alter_table("capture", schema=None) as batch_op:
        batch_op.drop_index("ix_capture_booking_id")

    op.drop_table("capture")
    op.drop_table("booking_line")
    op.drop_table("booking_cost")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index("ix_attempt_state")
        batch_op.drop_index("ix_attempt_payment_account_id")

    op.drop_table("attempt")
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.drop_index("ix_settlement_community_id")

    op.drop_table("settlement")
    op.drop_table("service_record")
    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.drop_index("ix_booking_state")
        batch_op.drop_index("ix_booking_departure_id")

    op.drop_table("booking")
    op.drop_table("option_price")
    op.drop_table("option_cost")
    with op.batch_alter_table("departure", schema=None) as batch_op:
        batch_op.drop_index("ix_departure_starts_on")
        batch_op.drop_index("ix_departure_community_id")

    op.drop_table("departure")
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.drop_index("ix_role_grant_person_id")

    op.drop_table("role_grant")
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_member_household_id"))

    op.drop_table("member")
    with op.batch_alter_table("experience_option", schema=None) as batch_op:
        batch_op.drop_index("ix_experience_option_experience_id")

    op.drop_table("experience_option")
    op.drop_table("policy_version")
    op.drop_table("payment_account")
    with op.batch_alter_table("leg", schema=None) as batch_op:
        batch_op.drop_index("ix_leg_to_account_id")
        batch_op.drop_index("ix_leg_from_account_id")

    op.drop_table("leg")
    op.drop_table("household")
    op.drop_table("experience")
    op.drop_table("account_balance")
    op.drop_table("ledger_account")
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.drop_index("ix_entry_book_id_subject")
        batch_op.drop_index("ix_entry_book_id_effective_on")

    op.drop_table("entry")
    op.drop_table("community")
    op.drop_table("pulse")
    op.drop_table("person")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("ix_notice_state")

    op.drop_table("notice")
    op.drop_table("demo_event")
    op.drop_table("book")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
