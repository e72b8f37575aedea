"""What there is to build: steps and variants out of compose files, their inputs, and what is timed of them.

May be imported by all that stands above.
Imports base/.
"""
