"""Engines and builders, and a variant built by them. `lab_engine.py` is the only file that knows the lab.

May be imported by run/ and studies/.
Imports base/, weigh/, steps/ and record/.
"""
