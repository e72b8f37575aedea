"""The smallest image that would do: just the files that an image looks at."""
