"""Split policies, who worked, settlement, and what each household earned."""
