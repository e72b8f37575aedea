"""The claims, by theme, in the order of the page: to import this is to register them."""
# ruff: noqa: F401, I001

from folklore.claims import bases, alpine, stages, users, cleaning, bytecode, building, packages, shipping
