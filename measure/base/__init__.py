"""What everything stands on: errors for people, files written whole, progress, units, platforms, Dockerfiles.

May be imported by all of measure/ and by lab/.
Imports no other folder.
"""
