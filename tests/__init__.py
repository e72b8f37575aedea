"""Tests of measure, of the lab, of the images; `python -m tests` runs them in phases."""
