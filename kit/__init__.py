"""The workshop's offline kit: one archive with all that the exercises need, made here and installed with no network."""
