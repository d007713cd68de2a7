"""Money in and back: events, refunds on their way, disputes, cash, payouts, statements, work lists.

What stood in the database stays: a refund that waited is an approved one, and books get the accounts
that are new.
"""

import sqlalchemy as sa
from alembic import op

from cbt.migrations.accounts import open_in_every_book
from cbt.migrations.append_only import protect, unprotect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WholeNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)

NEW_FACTS = (
    "account_change",
    "cash_banked",
    "cash_cleared",
    "cash_taken",
    "money_rule",
    "provider_transaction",
    "refund_return",
    "statement_import",
    "statement_reopening",
    "suspense_move",
)
ALTERED_FACTS = ("capture", "capture_fee", "transfer_confirmation")

METHODS = "method IN ('card', 'promptpay', 'cash', 'demo', 'unknown')"
FAILURES = (
    "failure IN ('declined', 'no_funds', 'not_authorised', 'card_expired', 'timed_out', 'other')"
)
OLD_REASONS = (
    "reason IN ('no_place_left', 'paid_twice', 'amount_differs', 'cancelled', 'called_off',"
    " 'price_lowered')"
)
REASONS = OLD_REASONS.replace("'price_lowered'", "'price_lowered', 'goodwill'")
OLD_REFUND = "state IN ('requested', 'succeeded')"
REFUND = (
    "state IN ('requested', 'approved', 'sent', 'action_required', 'succeeded', 'failed',"
    " 'by_bank', 'cancelled')"
)

OLD_CREDIT = "used_satang >= 0 AND used_satang <= amount_satang"
CREDIT = "used_satang >= 0 AND frozen_satang >= 0 AND used_satang + frozen_satang <= amount_satang"

NEW_ACCOUNTS = (
    ("payment:promptpay", "debit", True),
    ("disputed", "debit", False),
    ("given_back", "debit", True),
    ("cash_difference", "debit", True),
    ("cash_on_the_way", "debit", False),
    ("suspense", "credit", True),
)
"""(code, side, may go below zero) of the accounts that each book gets."""


def upgrade() -> None:
    op.create_table(
        "inbox_event",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("api_version", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", WholeNumber, nullable=False),
        sa.Column("try_at", Instant, nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "about IN ('attempt', 'payment', 'refund', 'dispute', 'payout', 'nothing')",
            name=op.f("ck_inbox_event_about"),
        ),
        sa.CheckConstraint(
            "state IN ('received', 'done', 'ignored', 'failed')", name=op.f("ck_inbox_event_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_event")),
        sa.UniqueConstraint(
            "provider", "account", "event_id", name=op.f("uq_inbox_event_provider_account_event_id")
        ),
    )
    with op.batch_alter_table("inbox_event") as batch_op:
        batch_op.create_index("ix_inbox_event_state", ["state", "try_at"], unique=False)

    op.create_table(
        "cash_banked",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("banked_by", WholeNumber, nullable=False),
        sa.Column("banked_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_cash_banked_positive")),
        sa.ForeignKeyConstraint(
            ["banked_by"], ["person.id"], name=op.f("fk_cash_banked_banked_by")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_cash_banked_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cash_banked")),
        sa.UniqueConstraint(
            "community_id",
            "bank_reference",
            name=op.f("uq_cash_banked_community_id_bank_reference"),
        ),
    )

    op.create_table(
        "cash_count",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("expected_satang", WholeNumber, nullable=False),
        sa.Column("counted_satang", WholeNumber, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("counted_by", WholeNumber, nullable=False),
        sa.Column("counted_at", Instant, nullable=False),
        sa.Column("agreed_by", WholeNumber, nullable=True),
        sa.Column("agreed_at", Instant, nullable=True),
        sa.Column("dismissed_at", Instant, nullable=True),
        sa.CheckConstraint(
            "(agreed_at IS NULL) = (agreed_by IS NULL)", name=op.f("ck_cash_count_agreed")
        ),
        sa.CheckConstraint(
            "agreed_at IS NULL OR dismissed_at IS NULL", name=op.f("ck_cash_count_one_end")
        ),
        sa.CheckConstraint(
            "agreed_by IS NULL OR agreed_by <> counted_by", name=op.f("ck_cash_count_two_people")
        ),
        sa.CheckConstraint("counted_satang >= 0", name=op.f("ck_cash_count_not_negative")),
        sa.ForeignKeyConstraint(["agreed_by"], ["person.id"], name=op.f("fk_cash_count_agreed_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_cash_count_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["counted_by"], ["person.id"], name=op.f("fk_cash_count_counted_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cash_count")),
    )
    with op.batch_alter_table("cash_count") as batch_op:
        batch_op.create_index("ix_cash_count_community_id", ["community_id"], unique=False)

    op.create_table(
        "money_rule",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("two_people_from_satang", WholeNumber, nullable=False),
        sa.Column("approve_from_satang", WholeNumber, nullable=False),
        sa.Column("set_by", WholeNumber, nullable=False),
        sa.Column("set_at", Instant, nullable=False),
        sa.CheckConstraint(
            "two_people_from_satang > 0 AND approve_from_satang > 0",
            name=op.f("ck_money_rule_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_money_rule_community_id")
        ),
        sa.ForeignKeyConstraint(["set_by"], ["person.id"], name=op.f("fk_money_rule_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_rule")),
    )
    with op.batch_alter_table("money_rule") as batch_op:
        batch_op.create_index("ix_money_rule_community_id", ["community_id"], unique=False)

    op.create_table(
        "account_change",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("changed_by", WholeNumber, nullable=False),
        sa.Column("agreed_by", WholeNumber, nullable=True),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint(
            "agreed_by IS NULL OR agreed_by <> changed_by",
            name=op.f("ck_account_change_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["agreed_by"], ["person.id"], name=op.f("fk_account_change_agreed_by")
        ),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_account_change_payment_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["person.id"], name=op.f("fk_account_change_changed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change")),
    )
    with op.batch_alter_table("account_change") as batch_op:
        batch_op.create_index(
            "ix_account_change_payment_account_id", ["payment_account_id"], unique=False
        )

    op.create_table(
        "account_proposal",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("proposed_by", WholeNumber, nullable=False),
        sa.Column("proposed_at", Instant, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", WholeNumber, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'alone', 'refused', 'withdrawn', 'lapsed')",
            name=op.f("ck_account_proposal_state"),
        ),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_at IS NULL)", name=op.f("ck_account_proposal_decided")
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'refused', 'withdrawn')) = (decided_by IS NOT NULL)",
            name=op.f("ck_account_proposal_decider"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'refused') OR decided_by <> proposed_by",
            name=op.f("ck_account_proposal_two_people"),
        ),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR decided_by = proposed_by", name=op.f("ck_account_proposal_own")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_account_proposal_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_account_proposal_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["person.id"], name=op.f("fk_account_proposal_proposed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_proposal")),
    )
    with op.batch_alter_table("account_proposal") as batch_op:
        batch_op.create_index("ix_account_proposal_community_id", ["community_id"], unique=False)
        batch_op.create_index(
            "uq_account_proposal_waiting",
            ["community_id", "provider"],
            unique=True,
            sqlite_where=sa.text("state = 'proposed'"),
            postgresql_where=sa.text("state = 'proposed'"),
        )
    with op.batch_alter_table("person") as batch_op:
        batch_op.add_column(sa.Column("mail", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("person") as batch_op:
        batch_op.alter_column("mail", server_default=None)

    op.create_table(
        "statement_import",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("lines", WholeNumber, nullable=False),
        sa.Column("new_lines", WholeNumber, nullable=False),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("opening_satang", WholeNumber, nullable=True),
        sa.Column("closing_satang", WholeNumber, nullable=True),
        sa.Column("layout", sa.JSON(), nullable=True),
        sa.Column("imported_by", WholeNumber, nullable=False),
        sa.Column("imported_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_statement_import_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["imported_by"], ["person.id"], name=op.f("fk_statement_import_imported_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_import")),
        sa.UniqueConstraint(
            "community_id", "sha256", name=op.f("uq_statement_import_community_id_sha256")
        ),
    )
    op.create_table(
        "work_item",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("closed_at", Instant, nullable=True),
        sa.Column("closed_by", WholeNumber, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('unknown_money', 'fee_differs', 'payout_differs', 'payout_failed', 'payout_not_seen', 'transfer_not_seen', 'refund_not_seen', 'cash_not_seen', 'cash_on_the_way', 'answer_wrong', 'event_failed', 'refund_failed', 'dispute_opened', 'dispute_lost', 'statement_line', 'cash_differs')",
            name=op.f("ck_work_item_kind"),
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (note IS NULL)", name=op.f("ck_work_item_closed")
        ),
        sa.ForeignKeyConstraint(["closed_by"], ["person.id"], name=op.f("fk_work_item_closed_by")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_work_item_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_item")),
        sa.UniqueConstraint("key", name=op.f("uq_work_item_key")),
    )
    with op.batch_alter_table("work_item") as batch_op:
        batch_op.create_index(
            "ix_work_item_community_id", ["community_id", "closed_at"], unique=False
        )

    op.create_table(
        "provider_payout",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("payout_id", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("arrives_on", sa.Date(), nullable=False),
        sa.Column("checked_satang", WholeNumber, nullable=True),
        sa.Column("paid_at", Instant, nullable=True),
        sa.Column("failed_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('on_the_way', 'paid', 'failed')", name=op.f("ck_provider_payout_state")
        ),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_provider_payout_positive")),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_provider_payout_payment_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_payout")),
        sa.UniqueConstraint(
            "provider", "payout_id", name=op.f("uq_provider_payout_provider_payout_id")
        ),
    )
    with op.batch_alter_table("provider_payout") as batch_op:
        batch_op.create_index(
            "ix_provider_payout_payment_account_id", ["payment_account_id"], unique=False
        )

    op.create_table(
        "provider_transaction",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("fee_satang", WholeNumber, nullable=False),
        sa.Column("net_satang", WholeNumber, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("payout_id", sa.Text(), nullable=True),
        sa.Column("is_expected", sa.Boolean(), nullable=False),
        sa.Column("suspense_satang", WholeNumber, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint(
            "is_expected OR suspense_satang = net_satang",
            name=op.f("ck_provider_transaction_explained"),
        ),
        sa.CheckConstraint(
            "amount_satang - fee_satang = net_satang", name=op.f("ck_provider_transaction_adds_up")
        ),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_provider_transaction_payment_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_transaction")),
        sa.UniqueConstraint(
            "provider",
            "transaction_id",
            name=op.f("uq_provider_transaction_provider_transaction_id"),
        ),
    )
    with op.batch_alter_table("provider_transaction") as batch_op:
        batch_op.create_index(
            "ix_provider_transaction_payment_account_id",
            ["payment_account_id", "created_at"],
            unique=False,
        )
        batch_op.create_index("ix_provider_transaction_payout_id", ["payout_id"], unique=False)

    op.create_table(
        "statement_line",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("import_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("bank_key", sa.Text(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("booked_at", Instant, nullable=True),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_reversal", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("matched_to", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("decided_by", WholeNumber, nullable=True),
        sa.Column("decided_at", Instant, nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'matched', 'set_aside')", name=op.f("ck_statement_line_state")
        ),
        sa.CheckConstraint("amount_satang <> 0", name=op.f("ck_statement_line_moves")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_statement_line_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_statement_line_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["statement_import.id"], name=op.f("fk_statement_line_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_line")),
        sa.UniqueConstraint(
            "community_id", "bank_key", name=op.f("uq_statement_line_community_id_bank_key")
        ),
        sa.UniqueConstraint("matched_to", name=op.f("uq_statement_line_matched_to")),
    )
    with op.batch_alter_table("statement_line") as batch_op:
        batch_op.create_index(
            "ix_statement_line_community_id", ["community_id", "state", "booked_on"], unique=False
        )

    op.create_table(
        "cash_cleared",
        sa.Column("banked_id", WholeNumber, nullable=False),
        sa.Column("is_back", sa.Boolean(), nullable=False),
        sa.Column("line_id", WholeNumber, nullable=True),
        sa.Column("banked_by", WholeNumber, nullable=False),
        sa.Column("cleared_by", WholeNumber, nullable=False),
        sa.Column("cleared_at", Instant, nullable=False),
        sa.CheckConstraint(
            "line_id IS NOT NULL OR cleared_by <> banked_by",
            name=op.f("ck_cash_cleared_two_people"),
        ),
        sa.CheckConstraint("line_id IS NULL OR NOT is_back", name=op.f("ck_cash_cleared_one_end")),
        sa.ForeignKeyConstraint(
            ["banked_by"], ["person.id"], name=op.f("fk_cash_cleared_banked_by")
        ),
        sa.ForeignKeyConstraint(
            ["banked_id"], ["cash_banked.id"], name=op.f("fk_cash_cleared_banked_id")
        ),
        sa.ForeignKeyConstraint(
            ["cleared_by"], ["person.id"], name=op.f("fk_cash_cleared_cleared_by")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["statement_line.id"], name=op.f("fk_cash_cleared_line_id")
        ),
        sa.PrimaryKeyConstraint("banked_id", name=op.f("pk_cash_cleared")),
    )

    op.create_table(
        "statement_reopening",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("line_id", WholeNumber, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("said_by", WholeNumber, nullable=True),
        sa.Column("said_at", Instant, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reopened_by", WholeNumber, nullable=False),
        sa.Column("reopened_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["statement_line.id"], name=op.f("fk_statement_reopening_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["reopened_by"], ["person.id"], name=op.f("fk_statement_reopening_reopened_by")
        ),
        sa.ForeignKeyConstraint(
            ["said_by"], ["person.id"], name=op.f("fk_statement_reopening_said_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_reopening")),
    )
    with op.batch_alter_table("statement_reopening") as batch_op:
        batch_op.create_index("ix_statement_reopening_line_id", ["line_id"], unique=False)

    op.create_table(
        "suspense_move",
        sa.Column("transaction_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("moved_by", WholeNumber, nullable=False),
        sa.Column("moved_at", Instant, nullable=False),
        sa.CheckConstraint("how IN ('returned', 'fund')", name=op.f("ck_suspense_move_how")),
        sa.CheckConstraint("amount_satang <> 0", name=op.f("ck_suspense_move_moves")),
        sa.ForeignKeyConstraint(
            ["moved_by"], ["person.id"], name=op.f("fk_suspense_move_moved_by")
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["provider_transaction.id"],
            name=op.f("fk_suspense_move_transaction_id"),
        ),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_suspense_move")),
    )
    op.create_table(
        "cash_taken",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("payment_account_id", WholeNumber, nullable=False),
        sa.Column("attempt_id", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("taken_by", WholeNumber, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_cash_taken_positive")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_cash_taken_attempt_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_account_id"],
            ["payment_account.id"],
            name=op.f("fk_cash_taken_payment_account_id"),
        ),
        sa.ForeignKeyConstraint(["taken_by"], ["person.id"], name=op.f("fk_cash_taken_taken_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cash_taken")),
    )
    with op.batch_alter_table("cash_taken") as batch_op:
        batch_op.create_index("ix_cash_taken_attempt_id", ["attempt_id"], unique=False)

    op.create_table(
        "transfer_look",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("attempt_id", WholeNumber, nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("looked_by", WholeNumber, nullable=False),
        sa.Column("looked_at", Instant, nullable=False),
        sa.Column("dismissed_by", WholeNumber, nullable=True),
        sa.Column("dismissed_at", Instant, nullable=True),
        sa.CheckConstraint(
            "(dismissed_at IS NULL) = (dismissed_by IS NULL)",
            name=op.f("ck_transfer_look_dismissed"),
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_transfer_look_attempt_id")
        ),
        sa.ForeignKeyConstraint(
            ["dismissed_by"], ["person.id"], name=op.f("fk_transfer_look_dismissed_by")
        ),
        sa.ForeignKeyConstraint(
            ["looked_by"], ["person.id"], name=op.f("fk_transfer_look_looked_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_look")),
    )
    with op.batch_alter_table("transfer_look") as batch_op:
        batch_op.create_index("ix_transfer_look_attempt_id", ["attempt_id"], unique=False)

    op.create_table(
        "dispute",
        sa.Column("id", WholeNumber, nullable=False),
        sa.Column("community_id", WholeNumber, nullable=False),
        sa.Column("booking_id", WholeNumber, nullable=False),
        sa.Column("capture_id", WholeNumber, nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("fee_satang", WholeNumber, nullable=False),
        sa.Column("reserved_satang", WholeNumber, nullable=False),
        sa.Column("credit_satang", WholeNumber, nullable=False),
        sa.Column("covered_satang", WholeNumber, nullable=False),
        sa.Column("fund_satang", WholeNumber, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("evidence_until", Instant, nullable=True),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("submitted_at", Instant, nullable=True),
        sa.Column("submitted_by", WholeNumber, nullable=True),
        sa.Column("closed_at", Instant, nullable=True),
        sa.Column("reinstated_at", Instant, nullable=True),
        sa.Column("was_split", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (closed_at IS NULL)", name=op.f("ck_dispute_closed")
        ),
        sa.CheckConstraint(
            "reinstated_at IS NULL OR state = 'won'", name=op.f("ck_dispute_reinstated")
        ),
        sa.CheckConstraint(
            "credit_satang >= 0 AND covered_satang >= 0"
            " AND reserved_satang + credit_satang + covered_satang <= amount_satang",
            name=op.f("ck_dispute_parts"),
        ),
        sa.CheckConstraint(
            "fund_satang >= 0 AND fund_satang <= reserved_satang", name=op.f("ck_dispute_fund")
        ),
        sa.CheckConstraint("state IN ('open', 'won', 'lost')", name=op.f("ck_dispute_state")),
        sa.CheckConstraint(
            "amount_satang > 0 AND fee_satang >= 0", name=op.f("ck_dispute_amounts")
        ),
        sa.CheckConstraint(
            "reserved_satang >= 0 AND reserved_satang <= amount_satang",
            name=op.f("ck_dispute_reserved"),
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_dispute_booking_id")),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_dispute_capture_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_dispute_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by"], ["person.id"], name=op.f("fk_dispute_submitted_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("provider_ref", name=op.f("uq_dispute_provider_ref")),
    )
    with op.batch_alter_table("dispute") as batch_op:
        batch_op.create_index("ix_dispute_booking_id", ["booking_id"], unique=False)
        batch_op.create_index("ix_dispute_community_id", ["community_id", "state"], unique=False)

    op.create_table(
        "refund_return",
        sa.Column("refund_id", WholeNumber, nullable=False),
        sa.Column("number", WholeNumber, nullable=False),
        sa.Column("amount_satang", WholeNumber, nullable=False),
        sa.Column("fee_returned_satang", WholeNumber, nullable=False),
        sa.Column("paid_from", sa.Text(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("returned_at", Instant, nullable=False),
        sa.CheckConstraint("amount_satang > 0", name=op.f("ck_refund_return_positive")),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_refund_return_refund_id")
        ),
        sa.PrimaryKeyConstraint("refund_id", "number", name=op.f("pk_refund_return")),
    )
    unprotect(*ALTERED_FACTS)
    with op.batch_alter_table("attempt") as batch_op:
        batch_op.add_column(sa.Column("page_url", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("failure", sa.Text(), nullable=True))

    with op.batch_alter_table("capture") as batch_op:
        batch_op.add_column(
            sa.Column("method", sa.Text(), nullable=False, server_default="unknown")
        )

    with op.batch_alter_table("capture_fee") as batch_op:
        batch_op.add_column(
            sa.Column("vat_satang", WholeNumber, nullable=False, server_default="0")
        )

    with op.batch_alter_table("payment_account") as batch_op:
        batch_op.add_column(sa.Column("account", sa.Text(), nullable=True))
        batch_op.create_unique_constraint(
            op.f("uq_payment_account_provider_account"), ["provider", "account"]
        )
        batch_op.add_column(
            sa.Column("is_open", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        batch_op.add_column(sa.Column("checked_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("problem", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("reconciled_until", Instant, nullable=True))

    with op.batch_alter_table("refund") as batch_op:
        batch_op.add_column(sa.Column("requested_by", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("approved_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("approved_by", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("asked_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("sent_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("provider_ref", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("action_until", Instant, nullable=True))
        batch_op.add_column(sa.Column("reminded_at", Instant, nullable=True))
        batch_op.add_column(sa.Column("failure", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("paid_from", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("by_dispute_id", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("by_bank_at", Instant, nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_refund_provider_ref"), ["provider_ref"])
        batch_op.create_foreign_key(
            batch_op.f("fk_refund_approved_by"), "person", ["approved_by"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_refund_requested_by"), "person", ["requested_by"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_refund_by_dispute_id"), "dispute", ["by_dispute_id"], ["id"]
        )

    with op.batch_alter_table("credit") as batch_op:
        batch_op.add_column(
            sa.Column("frozen_satang", WholeNumber, nullable=False, server_default="0")
        )

    with op.batch_alter_table("transfer_confirmation") as batch_op:
        batch_op.add_column(sa.Column("bank", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("seen_by", WholeNumber, nullable=True))
        batch_op.add_column(sa.Column("paid_at", Instant, nullable=True))
        batch_op.drop_constraint(
            batch_op.f("uq_transfer_confirmation_payment_account_id_bank_reference"), type_="unique"
        )
        batch_op.create_unique_constraint(
            "uq_transfer_confirmation_slip", ["payment_account_id", "bank", "bank_reference"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_transfer_confirmation_seen_by"), "person", ["seen_by"], ["id"]
        )
    add_check("attempt", "failure", FAILURES)
    add_check("capture", "method", METHODS)
    add_check("capture_fee", "vat", "vat_satang >= 0 AND vat_satang <= amount_satang")
    add_check("transfer_confirmation", "two_people", "seen_by IS NULL OR seen_by <> confirmed_by")
    drop_check("refund", "state")
    drop_check("refund", "reason")
    op.execute(
        "UPDATE refund SET state = 'approved', approved_at = requested_at WHERE state = 'requested'"
    )
    op.execute(
        "UPDATE refund SET paid_from = (SELECT provider FROM capture"
        " WHERE capture.id = refund.capture_id) WHERE state = 'succeeded'"
    )
    op.execute("UPDATE capture SET method = provider WHERE provider IN ('demo', 'promptpay')")
    add_check("refund", "state", REFUND)
    add_check("refund", "reason", REASONS)
    add_check("refund", "bank", "(by_dispute_id IS NULL) = (by_bank_at IS NULL)")
    add_check("refund", "by_bank", "state <> 'by_bank' OR by_dispute_id IS NOT NULL")
    drop_check("credit", "never_overused")
    add_check("credit", "never_overused", CREDIT)
    open_accounts()
    protect(*ALTERED_FACTS, *NEW_FACTS)


def open_accounts() -> None:
    """Open the accounts that every community's books need from now on, where they are not yet."""
    for code, side, negative in NEW_ACCOUNTS:
        open_in_every_book(code, side, may_go_negative=negative)


def add_check(table: str, name: str, words: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), words)


def drop_check(table: str, name: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")


def downgrade() -> None:
    unprotect(*ALTERED_FACTS, *NEW_FACTS)
    for name in ("state", "reason", "bank", "by_bank"):
        drop_check("refund", name)
    drop_check("credit", "never_overused")
    op.execute("UPDATE refund SET state = 'requested' WHERE state <> 'succeeded'")
    op.execute("UPDATE refund SET reason = 'price_lowered' WHERE reason = 'goodwill'")
    drop_check("transfer_confirmation", "two_people")
    drop_check("capture_fee", "vat")
    drop_check("capture", "method")
    drop_check("attempt", "failure")
    with op.batch_alter_table("transfer_confirmation") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_transfer_confirmation_seen_by"), type_="foreignkey")
        batch_op.drop_constraint("uq_transfer_confirmation_slip", type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_transfer_confirmation_payment_account_id_bank_reference"),
            ["payment_account_id", "bank_reference"],
        )
        batch_op.drop_column("paid_at")
        batch_op.drop_column("seen_by")
        batch_op.drop_column("bank")

    with op.batch_alter_table("credit") as batch_op:
        batch_op.drop_column("frozen_satang")
    add_check("credit", "never_overused", OLD_CREDIT)

    with op.batch_alter_table("refund") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_refund_by_dispute_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_refund_requested_by"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_refund_approved_by"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_refund_provider_ref"), type_="unique")
        batch_op.drop_column("by_bank_at")
        batch_op.drop_column("by_dispute_id")
        batch_op.drop_column("paid_from")
        batch_op.drop_column("failure")
        batch_op.drop_column("reminded_at")
        batch_op.drop_column("action_until")
        batch_op.drop_column("provider_ref")
        batch_op.drop_column("sent_at")
        batch_op.drop_column("asked_at")
        batch_op.drop_column("approved_by")
        batch_op.drop_column("approved_at")
        batch_op.drop_column("requested_by")

    with op.batch_alter_table("payment_account") as batch_op:
        batch_op.drop_constraint(op.f("uq_payment_account_provider_account"), type_="unique")
        batch_op.drop_column("account")
        batch_op.drop_column("reconciled_until")
        batch_op.drop_column("problem")
        batch_op.drop_column("checked_at")
        batch_op.drop_column("is_open")

    with op.batch_alter_table("capture_fee") as batch_op:
        batch_op.drop_column("vat_satang")

    with op.batch_alter_table("capture") as batch_op:
        batch_op.drop_column("method")

    with op.batch_alter_table("attempt") as batch_op:
        batch_op.drop_column("failure")
        batch_op.drop_column("page_url")
    add_check("refund", "state", OLD_REFUND)
    add_check("refund", "reason", OLD_REASONS)
    op.drop_table("refund_return")
    with op.batch_alter_table("dispute") as batch_op:
        batch_op.drop_index("ix_dispute_community_id")
        batch_op.drop_index("ix_dispute_booking_id")

    op.drop_table("dispute")
    with op.batch_alter_table("transfer_look") as batch_op:
        batch_op.drop_index("ix_transfer_look_attempt_id")

    op.drop_table("transfer_look")
    with op.batch_alter_table("cash_taken") as batch_op:
        batch_op.drop_index("ix_cash_taken_attempt_id")

    op.drop_table("cash_taken")
    op.drop_table("suspense_move")
    with op.batch_alter_table("statement_reopening") as batch_op:
        batch_op.drop_index("ix_statement_reopening_line_id")

    op.drop_table("statement_reopening")
    op.drop_table("cash_cleared")
    with op.batch_alter_table("statement_line") as batch_op:
        batch_op.drop_index("ix_statement_line_community_id")

    op.drop_table("statement_line")
    with op.batch_alter_table("provider_transaction") as batch_op:
        batch_op.drop_index("ix_provider_transaction_payout_id")
        batch_op.drop_index("ix_provider_transaction_payment_account_id")

    op.drop_table("provider_transaction")
    with op.batch_alter_table("provider_payout") as batch_op:
        batch_op.drop_index("ix_provider_payout_payment_account_id")

    op.drop_table("provider_payout")
    with op.batch_alter_table("work_item") as batch_op:
        batch_op.drop_index("ix_work_item_community_id")

    op.drop_table("work_item")
    op.drop_table("statement_import")
    with op.batch_alter_table("person") as batch_op:
        batch_op.drop_column("mail")
    op.drop_table("account_proposal")
    op.drop_table("account_change")
    op.drop_table("money_rule")
    with op.batch_alter_table("cash_count") as batch_op:
        batch_op.drop_index("ix_cash_count_community_id")

    op.drop_table("cash_count")
    op.drop_table("cash_banked")
    with op.batch_alter_table("inbox_event") as batch_op:
        batch_op.drop_index("ix_inbox_event_state")

    op.drop_table("inbox_event")
    protect(*ALTERED_FACTS)
