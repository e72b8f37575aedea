# What has no comment here has one in in-dockerfile.Dockerfile.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
# Where each file is does not stand in poetry.lock: Poetry asks the package index.
RUN poetry export --only main --format pylock.toml --output pylock.toml

FROM python:3.14-slim AS builder
RUN python -m venv --without-pip /opt/venv
COPY --from=lock /app/pylock.toml /pylock.toml
ARG SOURCE_DATE_EPOCH
# pip has read this format since 26.1, and calls it experimental. It wants no
# --require-hashes: a file without hashes is not valid.
RUN pip --python /opt/venv install --no-cache-dir --no-deps -r /pylock.toml

FROM python:3.14-slim
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["python", "-Ic", "from _socket import socket; s = socket(); s.settimeout(2); \
  s.connect_ex(('127.0.0.1', 8000)) and exit('no connection'); \
  s.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); a = s.recv(12); b'200' in a or exit(a)"]
CMD ["gunicorn", "whichimage:app"]
