"""The providers that are built: `demo` for sample data, `promptpay` for the community's own id."""
