"""Runs inside a container: prints the routes of a Flask application that is given as MODULE:NAME."""

import importlib
import json
import sys

module, _, name = sys.argv[1].partition(":")
rules = getattr(importlib.import_module(module), name).url_map.iter_rules()
print(json.dumps(sorted([method, rule.rule] for rule in rules for method in rule.methods)))
