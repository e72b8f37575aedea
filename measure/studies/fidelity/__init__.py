"""How close the lab's base images come to the official ones."""
