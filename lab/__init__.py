"""A Docker lab without Docker Hub: an engine, a registry, a package-index cache and base images, from Debian packages.

The rest of the project sees a Docker engine and official image names. Only this package knows how they came to be.
"""
