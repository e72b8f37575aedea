"""Do other builders than BuildKit build the Dockerfiles: podman's, and Docker's without buildx?"""
