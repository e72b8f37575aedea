# On the builder's own processor, whichever the image is for: nothing in it is emulated.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
RUN python -m venv --without-pip /opt/venv
COPY requirements-markers.txt /requirements.txt
ARG TARGETARCH SOURCE_DATE_EPOCH
# Wheels for the target. pip takes a platform by its name alone, so each is named: from
# the oldest glibc that has wheels for arm64 to Debian's. --no-compile: bytecode made by
# pip in here keeps the path of its temporary folder.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; esac \
    && pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
        --target /opt/venv/lib/python3.14/site-packages --no-compile \
        --only-binary=:all: --platform manylinux2014_$cpu \
        $(seq -f "--platform manylinux_2_%g_$cpu" 17 41) -r /requirements.txt \
    || { echo "No wheel for linux/$TARGETARCH? Do as cross-compiled.Dockerfile"; \
        exit 1; } >&2
# Bytecode is the same on each processor. Scripts belong beside the interpreter.
RUN cd /opt/venv/lib/python3.14/site-packages && python -m compileall -q $PWD \
    && mv bin/* /opt/venv/bin/ && rmdir bin

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
