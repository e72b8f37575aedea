"""A step from its Dockerfiles to its records: built, weighed, started, timed, verified; and the whole ladder.

May be imported by studies/ and the command line.
Imports all but studies/.
"""
