"""Which apt packages building and running a package takes, each proved by a build."""
