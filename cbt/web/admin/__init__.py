"""The platform's caretaker; no money here."""
