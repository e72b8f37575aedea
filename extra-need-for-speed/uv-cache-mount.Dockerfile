FROM python:3.14-slim AS builder
# What compiling takes: a compiler, the C library's headers, and those of libpq.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.9
# Without pip: uv installs into another environment than its own.
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
# The same list, the same checks. uv reads no pip.conf, so it is told which index that one names, if it does.
# Without --no-cache: what uv downloads, and the wheels that it compiles, live on in the mount. That is a file system of its
# own, which uv cannot link to: it copies.
RUN --mount=type=cache,target=/root/.cache/uv \
    UV_DEFAULT_INDEX=$(pip config --global get global.index-url || true) \
    uv pip install --python /opt/venv --link-mode copy --compile-bytecode --require-hashes --no-deps -r /requirements.txt

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
