"""The booking engine: rules of days, shared things and their slots, changes, waiting list, arrivals.

Like 0002 it refuses a database that holds books: before the first release there were only samples.
"""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect, unprotect
from cbt.migrations.empty import require_empty_books

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

OLD_UNITS = "unit IN ('ADULT', 'CHILD', 'INFANT')"
UNITS = "unit IN ('ADULT', 'YOUTH', 'CHILD', 'INFANT', 'SENIOR', 'STUDENT', 'FAMILY', 'GROUP')"
COSTS = "code IN ('insurance', 'park_fee', 'materials')"
ENDS = "IN ('guest', 'weather', 'too_few', 'community')"
BEARERS = "IN ('group', 'provider', 'mgmt', 'welfare', 'conserve', 'develop', 'revolve')"
OLD_REASONS = "reason IN ('no_place_left', 'paid_twice', 'amount_differs')"
REASONS = (
    "reason IN ('no_place_left', 'paid_twice', 'amount_differs', 'cancelled', 'called_off',"
    " 'price_lowered')"
)
OLD_BOOKING = "state IN ('held', 'lapsed', 'confirmed', 'settled')"
BOOKING = (
    "state IN ('requested', 'held', 'lapsed', 'declined', 'confirmed', 'choosing', 'cancelled',"
    " 'settled')"
)
OLD_DEPARTURE = "state IN ('open', 'settled')"
DEPARTURE = "state IN ('open', 'closed', 'called_off', 'settled')"
NEW_FACTS = ("booking_add_on", "check_in", "credit_use")
REMADE = ("booking_line", "booking_cost")

CHECKS = {
    "booking": {
        "ended_for": f"ended_for {ENDS}",
        "discount_bearer": f"discount_bearer {BEARERS}",
    },
    "departure": {
        "closes_before": "closes_at <= begins_at",
        "called_off_for": f"called_off_for {ENDS}",
    },
    "experience_option": {
        "rules": "cutoff_minutes >= 0 AND min_to_run >= 1",
        "decide": "decide_hours > 0",
        "request": "request_hours > 0",
        "group": "group_seats > 0 AND group_satang > 0",
    },
}
"""Checks that tables of before get."""

CHANGED = {
    ("booking", "state"): (OLD_BOOKING, BOOKING),
    ("booking", "positive"): (
        "places > 0 AND price_satang > 0",
        "places > 0 AND price_satang > 0 AND discount_satang >= 0 AND retained_satang >= 0",
    ),
    ("departure", "state"): (OLD_DEPARTURE, DEPARTURE),
    ("option_price", "unit"): (OLD_UNITS, UNITS),
    ("refund", "reason"): (OLD_REASONS, REASONS),
}
"""Checks that say more than before: (before, from here on)."""


def upgrade() -> None:
    require_empty_books("Start with a new database: delete instance/cbt.db, or name another one.")
    drop_lines()
    op.create_table(
        "host_feed_key",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("person_id", WholeNumber, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_host_feed_key_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_host_feed_key_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_feed_key")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_host_feed_key_token_hash")),
    )
    with op.batch_alter_table("host_feed_key") as batch_op:
        batch_op.create_index(
            "ix_host_feed_key_community_id", ["community_id", "person_id"], unique=False
        )

    op.create_table(
        "promo_code",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("bp", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("bearer", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("most_uses", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "bearer IN ('group', 'provider', 'mgmt', 'welfare', 'conserve', 'develop', 'revolve')",
            name=op.f("ck_promo_code_bearer"),
        ),
        sa.CheckConstraint(
            "(bp > 0) <> (amount_satang > 0)", name=op.f("ck_promo_code_one_measure")
        ),
        sa.CheckConstraint(
            "bp BETWEEN 0 AND 10000 AND amount_satang >= 0", name=op.f("ck_promo_code_amounts")
        ),
        sa.CheckConstraint("most_uses >= 0", name=op.f("ck_promo_code_uses")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_promo_code_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_code")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_promo_code_community_id_code")),
    )
    op.create_table(
        "rest_day",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_rest_day_span")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_rest_day_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rest_day")),
    )
    with op.batch_alter_table("rest_day") as batch_op:
        batch_op.create_index("ix_rest_day_community_id", ["community_id", "last_on"], unique=False)

    op.create_table(
        "season",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_season_span")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_season_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_season")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_season_community_id_code")),
    )
    op.create_table(
        "thing",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("capacity", WholeNumber, nullable=False),
        sa.Column("per_day", sa.Boolean(), nullable=False),
        sa.Column("cutoff_minutes", WholeNumber, nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("position", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "kind IN ('boat', 'kitchen', 'room', 'guide', 'life_jacket', 'village', 'other')",
            name=op.f("ck_thing_kind"),
        ),
        sa.CheckConstraint("capacity >= 0 AND cutoff_minutes >= 0", name=op.f("ck_thing_amounts")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_thing_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thing")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_thing_community_id_code")),
    )
    op.create_table(
        "feed",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("thing_id", WholeNumber, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.Column("tried_at", Instant, nullable=True),
        sa.Column("fetched_at", Instant, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("rolling", WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["thing_id"], ["thing.id"], name=op.f("fk_feed_thing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
    )
    with op.batch_alter_table("feed") as batch_op:
        batch_op.create_index("ix_feed_thing_id", ["thing_id"], unique=False)

    op.create_table(
        "slot",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("thing_id", WholeNumber, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("capacity", WholeNumber, nullable=False),
        sa.Column("claimed", WholeNumber, nullable=False),
        sa.Column("blocked", WholeNumber, nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "part IN ('morning', 'afternoon', 'evening', 'night', 'day')", name=op.f("ck_slot_part")
        ),
        sa.CheckConstraint("blocked >= 0", name=op.f("ck_slot_blocked")),
        sa.CheckConstraint(
            "claimed >= 0 AND claimed <= capacity", name=op.f("ck_slot_never_oversold")
        ),
        sa.ForeignKeyConstraint(["thing_id"], ["thing.id"], name=op.f("fk_slot_thing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
        sa.UniqueConstraint("thing_id", "day", "part", name=op.f("uq_slot_thing_id_day_part")),
    )
    with op.batch_alter_table("slot") as batch_op:
        batch_op.create_index("ix_slot_day", ["day"], unique=False)

    op.create_table(
        "feed_block",
        sa.Column("feed_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("begins", Instant, nullable=True),
        sa.Column("ends", Instant, nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_feed_block_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "line", name=op.f("pk_feed_block")),
    )
    op.create_table(
        "option_need",
        sa.Column("option_id", WholeNumber, nullable=False),
        sa.Column("thing_id", WholeNumber, nullable=False),
        sa.Column("add_on", sa.Text(), nullable=False),
        sa.Column("per_places", WholeNumber, nullable=False),
        sa.Column("units", WholeNumber, nullable=False),
        sa.CheckConstraint("per_places >= 0 AND units > 0", name=op.f("ck_option_need_amounts")),
        sa.ForeignKeyConstraint(
            ["option_id"], ["experience_option.id"], name=op.f("fk_option_need_option_id")
        ),
        sa.ForeignKeyConstraint(["thing_id"], ["thing.id"], name=op.f("fk_option_need_thing_id")),
        sa.PrimaryKeyConstraint("option_id", "thing_id", "add_on", name=op.f("pk_option_need")),
    )
    op.create_table(
        "schedule_rule",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("option_id", WholeNumber, nullable=False),
        sa.Column("recurrence", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["option_id"], ["experience_option.id"], name=op.f("fk_schedule_rule_option_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_rule")),
    )
    with op.batch_alter_table("schedule_rule") as batch_op:
        batch_op.create_index("ix_schedule_rule_option_id", ["option_id"], unique=False)

    op.create_table(
        "schedule_exception",
        sa.Column("rule_id", WholeNumber, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("departs", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["schedule_rule.id"], name=op.f("fk_schedule_exception_rule_id")
        ),
        sa.PrimaryKeyConstraint("rule_id", "day", name=op.f("pk_schedule_exception")),
    )
    op.create_table(
        "preparation",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("household_id", WholeNumber, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("cost_satang", WholeNumber, nullable=False),
        sa.Column("recorded_by", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("cost_satang > 0", name=op.f("ck_preparation_positive")),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_preparation_departure_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_preparation_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_preparation_recorded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preparation")),
        sa.UniqueConstraint("departure_id", "line", name=op.f("uq_preparation_departure_id_line")),
    )
    op.create_table(
        "slot_claim",
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("slot_id", WholeNumber, nullable=False),
        sa.Column("units", WholeNumber, nullable=False),
        sa.CheckConstraint("units >= 0", name=op.f("ck_slot_claim_not_negative")),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_slot_claim_departure_id")
        ),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_slot_claim_slot_id")),
        sa.PrimaryKeyConstraint("departure_id", "slot_id", name=op.f("pk_slot_claim")),
    )
    with op.batch_alter_table("slot_claim") as batch_op:
        batch_op.create_index("ix_slot_claim_slot_id", ["slot_id"], unique=False)

    op.create_table(
        "booking_add_on",
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("revision", WholeNumber, nullable=False),
        sa.Column("line", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("quantity", WholeNumber, nullable=False),
        sa.Column("price_satang", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND price_satang >= 0", name=op.f("ck_booking_add_on_amounts")
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_add_on_booking_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", "revision", "line", name=op.f("pk_booking_add_on")),
    )
    op.create_table(
        "check_in",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("people", WholeNumber, nullable=False),
        sa.Column("scanned_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("scanned_by", WholeNumber, nullable=False),
        sa.CheckConstraint("people > 0", name=op.f("ck_check_in_people")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_check_in_booking_id")
        ),
        sa.ForeignKeyConstraint(["scanned_by"], ["person.id"], name=op.f("fk_check_in_scanned_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_in")),
        sa.UniqueConstraint("key", name=op.f("uq_check_in_key")),
    )
    with op.batch_alter_table("check_in") as batch_op:
        batch_op.create_index("ix_check_in_booking_id", ["booking_id"], unique=False)

    op.create_table(
        "credit",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("used_satang", WholeNumber, nullable=False),
        sa.Column("issued_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_credit_positive")),
        sa.CheckConstraint(
            "used_satang >= 0 AND used_satang <= amount_satang",
            name=op.f("ck_credit_never_overused"),
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_credit_booking_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_credit_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit")),
        sa.UniqueConstraint("code", name=op.f("uq_credit_code")),
    )
    with op.batch_alter_table("credit") as batch_op:
        batch_op.create_index("ix_credit_booking_id", ["booking_id"], unique=False)
        batch_op.create_index("ix_credit_community_id", ["community_id"], unique=False)

    op.create_table(
        "no_show",
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("noted_at", Instant, nullable=False),
        sa.Column("noted_by", WholeNumber, nullable=False),
        sa.Column("disputed_at", Instant, nullable=True),
        sa.Column("dispute", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_no_show_booking_id")),
        sa.ForeignKeyConstraint(["noted_by"], ["person.id"], name=op.f("fk_no_show_noted_by")),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_no_show")),
    )
    op.create_table(
        "waiting_party",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("departure_id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("party", sa.JSON(), nullable=False),
        sa.Column("places", WholeNumber, nullable=False),
        sa.Column("least", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("joined_at", Instant, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=True),
        sa.Column("offers", WholeNumber, nullable=False),
        sa.Column("passed_at", Instant, nullable=True),
        sa.Column("passed_for", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'offered', 'booked', 'left', 'over')",
            name=op.f("ck_waiting_party_state"),
        ),
        sa.CheckConstraint(
            "places > 0 AND least > 0 AND least <= places", name=op.f("ck_waiting_party_places")
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_waiting_party_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_waiting_party_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["departure_id"], ["departure.id"], name=op.f("fk_waiting_party_departure_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_party")),
        sa.UniqueConstraint("request_key", name=op.f("uq_waiting_party_request_key")),
    )
    with op.batch_alter_table("waiting_party") as batch_op:
        batch_op.create_index(
            "ix_waiting_party_departure_id", ["departure_id", "state"], unique=False
        )

    op.create_table(
        "credit_use",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("credit_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("used_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_credit_use_positive")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_credit_use_booking_id")
        ),
        sa.ForeignKeyConstraint(["credit_id"], ["credit.id"], name=op.f("fk_credit_use_credit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_use")),
        sa.UniqueConstraint(
            "credit_id",
            "booking_id",
            "number",
            name=op.f("uq_credit_use_credit_id_booking_id_number"),
        ),
    )
    with op.batch_alter_table("credit_use") as batch_op:
        batch_op.create_index("ix_credit_use_booking_id", ["booking_id"], unique=False)

    op.create_table(
        "capture_balance",
        sa.Column("capture_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("returning_satang", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "returning_satang >= 0 AND returning_satang <= amount_satang",
            name=op.f("ck_capture_balance_never_more_than_came"),
        ),
        sa.ForeignKeyConstraint(
            ["capture_id"], ["capture.id"], name=op.f("fk_capture_balance_capture_id")
        ),
        sa.PrimaryKeyConstraint("capture_id", name=op.f("pk_capture_balance")),
    )
    with op.batch_alter_table("booking") as batch_op:
        batch_op.add_column(sa.Column("promo_code_id", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("revision", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("version", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("is_extended", sa.Boolean(), nullable=False))
        batch_op.add_column(sa.Column("ended_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("ended_for", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("discount_satang", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("retained_satang", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("discount_bearer", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("terms", sa.Text(), nullable=False))
        batch_op.add_column(sa.Column("counts_from", Instant, nullable=False))
        batch_op.create_index(
            "ix_booking_community_id", ["community_id", "created_at"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_booking_promo_code_id"), "promo_code", ["promo_code_id"], ["id"]
        )

    with op.batch_alter_table("departure") as batch_op:
        batch_op.add_column(sa.Column("rule_id", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("closes_at", Instant, nullable=False))
        batch_op.add_column(sa.Column("decide_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("min_to_run", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("is_edited", sa.Boolean(), nullable=False))
        batch_op.add_column(sa.Column("called_off_for", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("called_off_at", Instant, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_departure_rule_id"), "schedule_rule", ["rule_id"], ["id"]
        )

    with op.batch_alter_table("experience_option") as batch_op:
        batch_op.add_column(sa.Column("cutoff_minutes", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("min_to_run", WholeNumber, nullable=False))
        batch_op.add_column(sa.Column("decide_hours", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("request_hours", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("group_seats", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("group_satang", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("group_steps", sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column("add_ons", sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column("terms", sa.Text(), nullable=False))

    with op.batch_alter_table("option_price") as batch_op:
        batch_op.add_column(sa.Column("season_id", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("needs", sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column("steps", sa.JSON(), nullable=False))
        batch_op.create_foreign_key(
            batch_op.f("fk_option_price_season_id"), "season", ["season_id"], ["id"]
        )

    with op.batch_alter_table("refund") as batch_op:
        batch_op.add_column(sa.Column("number", WholeNumber, nullable=False))
        batch_op.drop_constraint(batch_op.f("uq_refund_capture_id"), type_="unique")
        batch_op.create_index("ix_refund_booking_id", ["booking_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_refund_capture_id_number"), ["capture_id", "number"]
        )
    add_checks()
    for (table, name), (_before, after) in CHANGED.items():
        replace_check(table, name, after)
    make_lines(revised=True)
    protect(*NEW_FACTS)


def add_checks() -> None:
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as batch_op:
            for name, words in checks.items():
                batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), words)


def replace_check(table: str, name: str, words: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), words)


def drop_lines() -> None:
    for table in REMADE:
        op.drop_table(table)


def make_lines(*, revised: bool) -> None:
    """The frozen lines of bookings, with or without the revision in their key."""
    key = ["booking_id", *(["revision"] if revised else []), "line"]
    op.create_table(
        "booking_line",
        *(sa.Column(name, WholeNumber, nullable=False) for name in key),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", WholeNumber, nullable=False),
        sa.Column("price_satang", WholeNumber, nullable=False),
        sa.Column("places", WholeNumber, nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND price_satang >= 0 AND places >= 0",
            name=op.f("ck_booking_line_amounts"),
        ),
        sa.CheckConstraint(UNITS if revised else OLD_UNITS, name=op.f("ck_booking_line_unit")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_line_booking_id")
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_booking_line")),
    )
    op.create_table(
        "booking_cost",
        *(sa.Column(name, WholeNumber, nullable=False) for name in key),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_booking_cost_positive")),
        sa.CheckConstraint(COSTS, name=op.f("ck_booking_cost_code")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_cost_booking_id")
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_booking_cost")),
    )
    protect(*REMADE)


def downgrade() -> None:
    require_empty_books("They cannot be read by an older version.")
    unprotect(*NEW_FACTS)
    drop_lines()
    for (table, name), (before, _after) in CHANGED.items():
        replace_check(table, name, before)
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as batch_op:
            for name in checks:
                batch_op.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
    with op.batch_alter_table("refund") as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_refund_capture_id_number"), type_="unique")
        batch_op.drop_index("ix_refund_booking_id")
        batch_op.create_unique_constraint(batch_op.f("uq_refund_capture_id"), ["capture_id"])
        batch_op.drop_column("number")

    with op.batch_alter_table("option_price") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_option_price_season_id"), type_="foreignkey")
        batch_op.drop_column("steps")
        batch_op.drop_column("needs")
        batch_op.drop_column("season_id")

    with op.batch_alter_table("experience_option") as batch_op:
        batch_op.drop_column("terms")
        batch_op.drop_column("add_ons")
        batch_op.drop_column("group_steps")
        batch_op.drop_column("group_satang")
        batch_op.drop_column("group_seats")
        batch_op.drop_column("request_hours")
        batch_op.drop_column("decide_hours")
        batch_op.drop_column("min_to_run")
        batch_op.drop_column("cutoff_minutes")

    with op.batch_alter_table("departure") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_departure_rule_id"), type_="foreignkey")
        batch_op.drop_column("called_off_at")
        batch_op.drop_column("called_off_for")
        batch_op.drop_column("is_edited")
        batch_op.drop_column("min_to_run")
        batch_op.drop_column("decide_at")
        batch_op.drop_column("closes_at")
        batch_op.drop_column("rule_id")

    with op.batch_alter_table("booking") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_booking_promo_code_id"), type_="foreignkey")
        batch_op.drop_index("ix_booking_community_id")
        batch_op.drop_column("counts_from")
        batch_op.drop_column("terms")
        batch_op.drop_column("discount_bearer")
        batch_op.drop_column("retained_satang")
        batch_op.drop_column("discount_satang")
        batch_op.drop_column("ended_for")
        batch_op.drop_column("ended_at")
        batch_op.drop_column("is_extended")
        batch_op.drop_column("version")
        batch_op.drop_column("revision")
        batch_op.drop_column("promo_code_id")

    op.drop_table("capture_balance")
    with op.batch_alter_table("credit_use") as batch_op:
        batch_op.drop_index("ix_credit_use_booking_id")

    op.drop_table("credit_use")
    with op.batch_alter_table("waiting_party") as batch_op:
        batch_op.drop_index("ix_waiting_party_departure_id")

    op.drop_table("waiting_party")
    op.drop_table("no_show")
    with op.batch_alter_table("credit") as batch_op:
        batch_op.drop_index("ix_credit_community_id")
        batch_op.drop_index("ix_credit_booking_id")

    op.drop_table("credit")
    with op.batch_alter_table("check_in") as batch_op:
        batch_op.drop_index("ix_check_in_booking_id")

    op.drop_table("check_in")
    op.drop_table("booking_add_on")
    with op.batch_alter_table("slot_claim") as batch_op:
        batch_op.drop_index("ix_slot_claim_slot_id")

    op.drop_table("slot_claim")
    op.drop_table("preparation")
    op.drop_table("schedule_exception")
    with op.batch_alter_table("schedule_rule") as batch_op:
        batch_op.drop_index("ix_schedule_rule_option_id")

    op.drop_table("schedule_rule")
    op.drop_table("option_need")
    op.drop_table("feed_block")
    with op.batch_alter_table("slot") as batch_op:
        batch_op.drop_index("ix_slot_day")

    op.drop_table("slot")
    with op.batch_alter_table("feed") as batch_op:
        batch_op.drop_index("ix_feed_thing_id")

    op.drop_table("feed")
    op.drop_table("thing")
    op.drop_table("season")
    with op.batch_alter_table("rest_day") as batch_op:
        batch_op.drop_index("ix_rest_day_community_id")

    op.drop_table("rest_day")
    op.drop_table("promo_code")
    with op.batch_alter_table("host_feed_key") as batch_op:
        batch_op.drop_index("ix_host_feed_key_community_id")

    op.drop_table("host_feed_key")
    make_lines(revised=False)
