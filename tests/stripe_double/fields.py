"""Stripe's objects as its published fixtures show them: the fields and their JSON types.

A question mark says that the field may be null. Written beside the fixtures of August 2026, which are
not kept here; `tests/payments/test_stripe_double.py` compares both where the file is at hand.
"""

FIELDS = {
    "checkout.session": {
        "array": "custom_fields payment_method_types shipping_options",
        "array?": "discounts",
        "boolean": "livemode",
        "boolean?": "allow_promotion_codes",
        "integer": "created expires_at",
        "integer?": "amount_subtotal amount_total",
        "object": "automatic_tax custom_text",
        "object?": (
            "adaptive_pricing after_expiration collected_information consent "
            "consent_collection currency_conversion customer_details invoice_creation "
            "managed_payments metadata payment_method_configuration_details "
            "payment_method_options permissions phone_number_collection "
            "saved_payment_method_options shipping_address_collection shipping_cost "
            "total_details wallet_options"
        ),
        "string": "id mode object payment_status",
        "string?": (
            "billing_address_collection cancel_url client_reference_id client_secret currency "
            "customer customer_account customer_creation customer_email "
            "integration_identifier invoice locale origin_context payment_intent payment_link "
            "payment_method_collection recovered_from setup_intent status submit_type "
            "subscription success_url ui_mode url"
        ),
    },
    "payment_intent": {
        "array": "payment_method_types",
        "array?": "excluded_payment_method_types",
        "boolean": "livemode",
        "integer": "amount amount_capturable amount_received created",
        "integer?": "application_fee_amount canceled_at",
        "object": "metadata",
        "object?": (
            "amount_details automatic_payment_methods last_payment_error managed_payments "
            "next_action payment_method_configuration_details payment_method_options "
            "processing shipping transfer_data"
        ),
        "string": "capture_method confirmation_method currency id object status",
        "string?": (
            "application cancellation_reason client_secret customer customer_account "
            "description latest_charge on_behalf_of payment_method receipt_email review "
            "setup_future_usage source statement_descriptor statement_descriptor_suffix "
            "transfer_group"
        ),
    },
    "charge": {
        "boolean": "captured disputed livemode paid refunded",
        "integer": "amount amount_captured amount_refunded created",
        "integer?": "application_fee_amount",
        "object": "billing_details metadata",
        "object?": "fraud_details outcome payment_method_details shipping source transfer_data",
        "string": "currency id object status",
        "string?": (
            "application application_fee balance_transaction calculated_statement_descriptor "
            "customer description failure_balance_transaction failure_code failure_message "
            "on_behalf_of payment_intent payment_method receipt_email receipt_number "
            "receipt_url review source_transfer statement_descriptor "
            "statement_descriptor_suffix transfer_group"
        ),
    },
    "refund": {
        "integer": "amount created",
        "object?": "destination_details metadata",
        "string": "currency id object",
        "string?": (
            "balance_transaction charge customer customer_account payment_intent "
            "payment_method reason receipt_number source_transfer_reversal status "
            "transfer_reversal"
        ),
    },
    "balance_transaction": {
        "array": "fee_details",
        "integer": "amount available_on created fee net",
        "number?": "exchange_rate",
        "string": "balance_type currency id object reporting_category status type",
        "string?": "description source",
    },
    "dispute": {
        "array": "balance_transactions enhanced_eligibility_types",
        "boolean": "is_charge_refundable livemode",
        "integer": "amount created",
        "object": "evidence evidence_details metadata",
        "object?": "payment_method_details",
        "string": "charge currency id object reason status",
        "string?": "payment_intent",
    },
    "payout": {
        "boolean": "automatic livemode",
        "integer": "amount arrival_date created",
        "integer?": "application_fee_amount",
        "object?": "metadata trace_id",
        "string": "currency id method object reconciliation_status source_type status type",
        "string?": (
            "application_fee balance_transaction description destination "
            "failure_balance_transaction failure_code failure_message original_payout "
            "payout_method reversed_by statement_descriptor"
        ),
    },
    "event": {
        "boolean": "livemode",
        "integer": "created pending_webhooks",
        "object": "data",
        "object?": "request",
        "string": "id object type",
        "string?": "api_version",
    },
    "account": {
        "boolean?": "charges_enabled details_submitted payouts_enabled",
        "integer?": "created",
        "object?": (
            "business_profile capabilities controller external_accounts future_requirements "
            "metadata requirements settings tos_acceptance"
        ),
        "string": "id object",
        "string?": "business_type country default_currency email type",
    },
}
