"""How long a new user waits: the lab, `make step-1` and `make all` from nothing."""
