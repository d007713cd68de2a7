"""Fees apart from captures, a policy's day of record, given up attempts, and words held by checks.

Entries for fees and refunds have another shape from here on. Books are never rewritten, so this
change refuses a database that holds some: before it nothing was released, only samples were loaded.
"""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.append_only import protect, unprotect
from cbt.migrations.empty import require_empty_books

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)
ALTERED = ("booking_line", "booking_cost", "capture", "policy_version")
COSTS = "code IN ('insurance', 'park_fee', 'materials')"
UNITS = "unit IN ('ADULT', 'CHILD', 'INFANT')"
TASKS = "task IN ('boat', 'guide', 'cook', 'host', 'craft', 'crab_bank', 'prepare')"
REASONS = "reason IN ('no_place_left', 'paid_twice', 'amount_differs')"
OLD_STATES = "state IN ('pending', 'reported', 'failed', 'expired', 'paid')"
NEW_STATES = "state IN ('pending', 'reported', 'failed', 'expired', 'cancelled', 'paid')"


def upgrade() -> None:
    require_empty_books("Start with a new database: delete instance/cbt.db, or name another one.")
    unprotect(*ALTERED)
    with op.batch_alter_table("booking_line") as table:
        table.create_check_constraint(op.f("ck_booking_line_unit"), UNITS)
    with op.batch_alter_table("booking_cost") as table:
        table.create_check_constraint(op.f("ck_booking_cost_code"), COSTS)
    with op.batch_alter_table("option_cost") as table:
        table.create_check_constraint(op.f("ck_option_cost_code"), COSTS)
    with op.batch_alter_table("service_record") as table:
        table.create_check_constraint(op.f("ck_service_record_task"), TASKS)
    with op.batch_alter_table("refund") as table:
        table.create_check_constraint(op.f("ck_refund_reason"), REASONS)
    with op.batch_alter_table("policy_version") as table:
        table.add_column(sa.Column("recorded_at", Instant, nullable=False))
    with op.batch_alter_table("attempt") as table:
        table.drop_index("ix_attempt_state")
        table.drop_constraint(op.f("ck_attempt_state"), type_="check")
        table.drop_column("looked_up_at")
        table.create_check_constraint(op.f("ck_attempt_state"), NEW_STATES)
        table.create_index("ix_attempt_state", ["state", "created_at"])
    with op.batch_alter_table("capture") as table:
        table.drop_constraint(op.f("ck_capture_amounts"), type_="check")
        table.drop_column("fee_satang")
        table.create_check_constraint(op.f("ck_capture_positive"), "amount_satang > 0")
    op.create_table(
        "capture_fee",
        sa.Column("capture_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("reported_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang >= 0", name=op.f("ck_capture_fee_not_negative")),
        sa.ForeignKeyConstraint(
            ["capture_id"], ["capture.id"], name=op.f("fk_capture_fee_capture_id")
        ),
        sa.PrimaryKeyConstraint("capture_id", name=op.f("pk_capture_fee")),
    )
    protect(*ALTERED, "capture_fee")


def downgrade() -> None:
    require_empty_books("They cannot be read by an older version.")
    unprotect(*ALTERED)
    op.drop_table("capture_fee")
    with op.batch_alter_table("capture") as table:
        table.drop_constraint(op.f("ck_capture_positive"), type_="check")
        table.add_column(sa.Column("fee_satang", WholeNumber, nullable=False))
        table.create_check_constraint(
            op.f("ck_capture_amounts"), "amount_satang > 0 AND fee_satang >= 0"
        )
    with op.batch_alter_table("attempt") as table:
        table.drop_index("ix_attempt_state")
        table.drop_constraint(op.f("ck_attempt_state"), type_="check")
        table.add_column(sa.Column("looked_up_at", Instant, nullable=True))
        table.create_check_constraint(op.f("ck_attempt_state"), OLD_STATES)
        table.create_index("ix_attempt_state", ["state", "looked_up_at"])
    with op.batch_alter_table("policy_version") as table:
        table.drop_column("recorded_at")
    for name, word in (
        ("refund", "reason"),
        ("service_record", "task"),
        ("option_cost", "code"),
        ("booking_cost", "code"),
        ("booking_line", "unit"),
    ):
        with op.batch_alter_table(name) as table:
            table.drop_constraint(op.f(f"ck_{name}_{word}"), type_="check")
    protect(*ALTERED)
