"""The workshop's exercises: a folder to mend, goals that a measurement checks, hints that look at the reader's image.

The exercises themselves are in workshop/. Imports mine/, run/, build/, steps/, weigh/ and base/; `model` and `page`
need no engine.
"""
