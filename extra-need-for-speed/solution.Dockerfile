FROM python:3.14-slim AS builder
# What compiling takes: a compiler, the C library's headers, and those of libpq.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev \
    && rm -rf /var/lib/apt/lists/*
# Without pip: the one that is here already can install into another environment.
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
# --require-hashes refuses a package that is not the one that was locked. --no-deps: the list is complete.
# Without --no-cache-dir: what pip downloads, and the wheels that it compiles, live on in the mount, in no layer.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv install --require-hashes --no-deps -r /requirements.txt

FROM python:3.14-slim
# What running takes: the library alone.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpq5 \
    && rm -rf /var/lib/apt/lists/*
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
# What the builder installed, at the same place as there: scripts name their interpreter by its full path.
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# The user may not write bytecode, but root may, now: of what these modules import, and nothing else.
RUN python -c "import flask, gunicorn.app.wsgiapp, gunicorn.workers.gthread, numpy, psycopg2"

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

# The number, not the name: Kubernetes can tell from it that this is not root.
USER 10001

EXPOSE 8000
# In Python, because slim has no curl. While it starts, ask often; then now and then.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --start-interval=0.25s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
