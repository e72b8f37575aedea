"""Expressions in pages, as Jinja reads them."""

from jinja2 import Environment, StrictUndefined

#: Jinja as pages use it. `{##` begins a comment, because `{#` begins a heading's identifier in Markdown.
ENVIRONMENT = Environment(undefined=StrictUndefined, comment_start_string="{##", comment_end_string="##}",
                          keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Markdown is no HTML  # fmt: skip
