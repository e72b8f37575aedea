"""How gunicorn serves this application. It reads this file by itself when it starts."""

import os

bind = "0.0.0.0:8000"
# One process, unless the one who runs the container says otherwise: the CPUs that the
# container may use are not those that Python counts.
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
# Threads, so that one slow request does not keep the others waiting. They are no cure
# for many slow clients: a connection on which nothing comes holds a thread for five
# seconds, and no setting of gunicorn changes that. A proxy in front that buffers
# requests does.
worker_class = "gthread"
threads = int(os.environ.get("THREADS", "4"))
# A worker shows that it lives by touching a file: in memory, because the disk may be
# slow, or not writable at all.
worker_tmp_dir = "/dev/shm"
# No control socket: it would be put into the user's home, and there is none.
control_socket_disable = True
# To standard output, where `docker logs` finds it.
accesslog = "-"
