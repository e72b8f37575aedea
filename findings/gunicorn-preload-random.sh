#!/bin/bash
# With gunicorn 27.0.1 and --preload, NumPy 2.4.6 draws the same random numbers in each worker, and the identifiers of
# ulid-transform 2.2.9 have the same random part. A worker that replaces another begins with them again. Python's own
# `random` and `uuid` differ.
#
# --preload imports the application once and forks, which saves memory and time. Python gives its generator a new seed
# in each child, so a good guess is that random numbers do well. Others are copied as they stand: the one behind
# numpy.random, from which scikit-learn draws when it has no random_state, and each that is made at import,
# random.Random() too. So two workers draw one sample, or wait equally long before they try again, and
# --max-requests deals the numbers out once more. Two ULIDs of one millisecond differ in their random part alone,
# and here it is equal, once the import has made one. With one worker that is never replaced, nothing is seen.
# `os.register_at_fork(after_in_child=numpy.random.seed)` cures numpy.random; the others have to be made in the worker.
#
# Seen on 2026-11-30 with Python 3.11, 3.12 and 3.13, the first draw of three workers and of one that replaces another:
#   without --preload: all differ
#   --preload: equal numpy.random, numpy.random.default_rng(), random.Random(), ulid-transform
#   --preload, seeded in the child: equal numpy.random.default_rng(), random.Random(), ulid-transform
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 numpy==2.4.6 ulid-transform==2.2.9
cd "$folder"
cat > application.py <<'PYTHON'
import os
import random
import uuid

import numpy
import ulid_transform

if "SEEDED" in os.environ:
    os.register_at_fork(after_in_child=numpy.random.seed)
started = ulid_transform.ulid_now()
own = random.Random()
generator = numpy.random.default_rng()


def draw():
    return {
        "random": random.random(),
        "uuid": uuid.uuid4().hex,
        "random.Random()": own.random(),
        "numpy.random": numpy.random.random(),
        "numpy.random.default_rng()": generator.random(),
        "ulid-transform": ulid_transform.ulid_now()[-16:],
    }


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
PYTHON
cat > settings.py <<'PYTHON'
import json
import pathlib


def post_worker_init(worker):
    import application

    pathlib.Path("draws", f"{worker.pid}.part").write_text(json.dumps(application.draw()))
    pathlib.Path("draws", f"{worker.pid}.part").rename(f"draws/{worker.pid}.json")
PYTHON
# Waits until so many workers have drawn.
await() {
    for _ in $(seq 300); do
        if [ "$(find draws -name '*.json' | wc -l)" -ge "$1" ]; then return; fi
        sleep 0.1
    done
}
show() {
    rm -rf draws
    mkdir draws
    venv/bin/gunicorn --config settings.py --no-control-socket --workers 3 --bind unix:socket "${@:2}" \
        application:wsgi > log 2>&1 &
    server=$!
    await 3
    worker=$(find draws -name '*.json' -printf '%f\n' -quit)
    kill "${worker%.json}"
    await 4
    kill "$server"
    wait "$server"
    venv/bin/python - "$1" <<'PYTHON'
import json
import pathlib
import sys

draws = [json.loads(file.read_text()) for file in pathlib.Path("draws").iterdir()]
assert len(draws) == 4, draws
values = {name: {draw[name] for draw in draws} for name in sorted(draws[0])}
assert {len(drawn) for drawn in values.values()} <= {1, 4}, values
equal = [name for name, drawn in values.items() if len(drawn) == 1]
print(f"{sys.argv[1]}: {'equal ' + ', '.join(equal) if equal else 'all differ'}")
PYTHON
}
{
    show 'without --preload'
    show '--preload' --preload
    SEEDED=yes show '--preload, seeded in the child' --preload
} > seen
diff seen - <<'SEEN'
without --preload: all differ
--preload: equal numpy.random, numpy.random.default_rng(), random.Random(), ulid-transform
--preload, seeded in the child: equal numpy.random.default_rng(), random.Random(), ulid-transform
SEEN
echo "as seen on 2026-11-30"
