"""Stripe's answers as they begin: every field that the product may read, with its first value."""

from tests.stripe_double.state import Json

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def address(country: str | None = None) -> Json:
    return {**dict.fromkeys(_ADDRESS), "country": country}


def session(**known: object) -> Json:
    nothing = (
        "after_expiration allow_promotion_codes billing_address_collection branding_settings "
        "client_reference_id client_secret collected_information consent consent_collection "
        "currency_conversion customer customer_account customer_creation customer_details "
        "customer_email integration_identifier invoice invoice_creation locale origin_context "
        "payment_intent payment_link payment_method_configuration_details permissions "
        "recovered_from saved_payment_method_options setup_intent shipping_address_collection "
        "shipping_cost submit_type subscription wallet_options"
    )
    return {
        "object": "checkout.session",
        **dict.fromkeys(nothing.split()),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "discounts": [],
        "livemode": False,
        "managed_payments": {"enabled": False},
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        **known,
    }


def payment_intent(**known: object) -> Json:
    nothing = (
        "application application_fee_amount automatic_payment_methods canceled_at "
        "cancellation_reason customer customer_account description "
        "excluded_payment_method_types last_payment_error latest_charge next_action on_behalf_of "
        "payment_method payment_method_configuration_details processing receipt_email review "
        "setup_future_usage shipping source statement_descriptor statement_descriptor_suffix "
        "transfer_data transfer_group"
    )
    return {
        "object": "payment_intent",
        **dict.fromkeys(nothing.split()),
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "livemode": False,
        "managed_payments": {"enabled": False},
        "payment_method_options": {},
        "status": "requires_payment_method",
        **known,
    }


def charge(**known: object) -> Json:
    nothing = (
        "application application_fee application_fee_amount balance_transaction "
        "calculated_statement_descriptor customer description failure_balance_transaction "
        "failure_code failure_message on_behalf_of payment_intent payment_method receipt_email "
        "receipt_number receipt_url review shipping source source_transfer "
        "statement_descriptor statement_descriptor_suffix transfer_data transfer_group"
    )
    return {
        "object": "charge",
        **dict.fromkeys(nothing.split()),
        "amount_refunded": 0,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "refunded": False,
        **known,
    }


def refund(**known: object) -> Json:
    nothing = (
        "balance_transaction customer customer_account reason "
        "payment_method receipt_number source_transfer_reversal transfer_reversal"
    )
    return {"object": "refund", **dict.fromkeys(nothing.split()), **known}


def payout(**known: object) -> Json:
    nothing = (
        "application_fee application_fee_amount failure_balance_transaction failure_code "
        "failure_message original_payout payout_method reversed_by statement_descriptor trace_id"
    )
    return {
        "object": "payout",
        **dict.fromkeys(nothing.split()),
        "automatic": True,
        "currency": "thb",
        "description": "STRIPE PAYOUT",
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "in_progress",
        "source_type": "card",
        "status": "in_transit",
        "type": "bank_account",
        **known,
    }


def dispute(**known: object) -> Json:
    evidence = (
        "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure "
        "cancellation_rebuttal customer_communication customer_email_address customer_name "
        "customer_purchase_ip customer_signature duplicate_charge_documentation "
        "duplicate_charge_explanation duplicate_charge_id product_description receipt "
        "refund_policy refund_policy_disclosure refund_refusal_explanation service_date "
        "service_documentation shipping_address shipping_carrier shipping_date "
        "shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text"
    )
    return {
        "object": "dispute",
        "balance_transactions": [],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(evidence.split()), "enhanced_evidence": {}},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "status": "needs_response",
        **known,
    }


def card_details(brand: str, country: str, last4: str) -> Json:
    """How a charge tells of the card it was paid with."""
    return {
        "amount_authorized": None,
        "brand": brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": country,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"double{last4}",
        "funding": "credit",
        "installments": None,
        "last4": last4,
        "mandate": None,
        "network": brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "three_d_secure": None,
        "wallet": None,
    }


def billing_details(email: str, name: str | None, country: str | None = None) -> Json:
    return {
        "address": address(country),
        "email": email or None,
        "name": name,
        "phone": None,
        "tax_id": None,
    }


def account(account_id: str, **known: object) -> Json:
    """A Thai merchant that may take cards and PromptPay and is paid out by bank."""
    requirements: Json = {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": [],
        "disabled_reason": None,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    }
    profile = "mcc name product_description support_address support_email support_phone"
    return {
        "id": account_id,
        "object": "account",
        "business_profile": dict.fromkeys([*profile.split(), "support_url", "url"]),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "promptpay_payments": "active"},
        "charges_enabled": True,
        "controller": {"type": "application", "is_controller": True},
        "country": "TH",
        "default_currency": "thb",
        "details_submitted": True,
        "email": f"{account_id[-6:].lower()}@merchant.example",
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{account_id}/external_accounts",
        },
        "future_requirements": dict(requirements),
        "metadata": {},
        "payouts_enabled": True,
        "requirements": requirements,
        "settings": _settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
        **known,
    }


def _settings() -> Json:
    descriptors = (
        "statement_descriptor",
        "statement_descriptor_kana",
        "statement_descriptor_kanji",
    )
    prefixes = ("statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji")
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": True, "cvc_failure": True},
            "statement_descriptor_prefix": None,
            **dict.fromkeys(prefixes),
        },
        "dashboard": {"display_name": None, "timezone": "Asia/Bangkok"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": dict.fromkeys((*descriptors, *prefixes)),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 7, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


def bank_account(bank_id: str, account_id: str) -> Json:
    return {
        "id": bank_id,
        "object": "bank_account",
        "account": account_id,
        "account_holder_name": None,
        "account_holder_type": "company",
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "BANK FOR TESTS",
        "country": "TH",
        "currency": "thb",
        "default_for_currency": True,
        "fingerprint": "doublebank",
        "last4": "6789",
        "metadata": {},
        "routing_number": "006",
        "status": "new",
    }
