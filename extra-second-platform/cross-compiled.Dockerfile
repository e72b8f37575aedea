# What is read of the target's image: nothing runs in it.
FROM python:3.14-slim AS target

# On the builder's own processor, whichever the image is for: nothing in it is emulated.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
RUN python -m venv --without-pip /opt/venv
ARG TARGETARCH SOURCE_DATE_EPOCH
# A compiler for the target, its C library's headers, and those of libpq.
RUN case $TARGETARCH in amd64) cpu=x86-64 ;; arm64) cpu=aarch64 ;; esac \
    && dpkg --add-architecture $TARGETARCH && apt-get update \
    && apt-get install -y --no-install-recommends \
        binutils gcc-$cpu-linux-gnu libc6-dev:$TARGETARCH libpq-dev:$TARGETARCH
COPY requirements-source.txt /requirements.txt
# What the target's Python says of itself, and its headers.
COPY --from=target /usr/local/lib/python3.14/_sysconfigdata_* /usr/local/lib/python3.14/
COPY --from=target /usr/local/include/python3.14 /usr/local/include/python3.14
# As in CPython's own cross builds: sysconfig, and with it pip, speaks for the target.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; esac \
    && export _PYTHON_HOST_PLATFORM=linux-$cpu CC=$cpu-linux-gnu-gcc \
        _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__linux_$cpu-linux-gnu \
        LDSHARED="$cpu-linux-gnu-gcc -shared" \
    && pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
        -r /requirements.txt
# What running takes: libpq5, and what it needs that the target's image has not.
COPY --from=target /var/lib/dpkg /libpq/var/lib/dpkg
COPY unpack.sh /
RUN sh /unpack.sh libpq5 /libpq

FROM python:3.14-slim
# The files that useradd changed in there: to run it here would be emulated.
COPY --from=builder /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/
COPY --from=builder /libpq /
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
