"""Which wheels popular packages have today, as pip would choose them."""
