"""The records in results/: their models, reading and writing, whether they hold, and how two compare.

May be imported by all that stands above.
Imports base/, weigh/ and steps/, and the recipes of the lab's base images (lab.recipe: files alone, no engine).
"""
