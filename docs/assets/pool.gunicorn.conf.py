"""The application is loaded once; each worker opens a pool of its own."""

preload_app = True


def post_worker_init(worker: object) -> None:
    """After the fork, before the worker's first request."""
    from database import open_pool  # yours: pool = ThreadedConnectionPool(1, 4)

    open_pool()
