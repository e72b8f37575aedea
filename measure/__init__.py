"""Builds, weighs, starts and records the images that this repository teaches with."""
