"""Folklore, measured: the claims, and beside them a folder for each experiment that decides one."""
