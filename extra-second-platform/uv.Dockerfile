# On the builder's own processor, whichever the image is for: nothing in it is emulated.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
RUN pip install --no-cache-dir uv==0.13.9
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
ARG TARGETARCH SOURCE_DATE_EPOCH
# uv knows which wheels a platform takes, and reads markers for the target. It does not
# read pip's settings: if they name an index, it is told which.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; esac \
    && export UV_DEFAULT_INDEX=$(pip config --global get global.index-url || true) \
    && uv pip install --python /opt/venv --no-cache --compile-bytecode \
        --require-hashes --no-deps --only-binary :all: \
        --python-platform $cpu-manylinux_2_40 -r /requirements.txt

FROM python:3.14-slim
# The files that useradd changed in there: to run it here would be emulated.
COPY --from=builder /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1

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
