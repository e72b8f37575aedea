# What is read of the target's image: nothing runs in it.
FROM python:3.14-slim AS target

# On the builder's own processor, whichever the image is for: it compiles for the target.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
# Without pip: the one that is here already can install into another environment.
RUN python -m venv --without-pip /opt/venv
ARG TARGETARCH
# A compiler for the target, its C library's headers, and those of libpq.
RUN case $TARGETARCH in amd64) cpu=x86-64 ;; arm64) cpu=aarch64 ;; *) exit 1 ;; esac \
    && dpkg --add-architecture $TARGETARCH && apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc-$cpu-linux-gnu libc6-dev:$TARGETARCH libpq-dev:$TARGETARCH \
    && rm -rf /var/cache/apt/archives/*.deb
COPY requirements-source.txt /requirements.txt
# What the target's Python says of itself: how extensions are built, and its headers.
COPY --from=target /usr/local/lib/python3.14/_sysconfigdata_* /usr/local/lib/python3.14/
COPY --from=target /usr/local/include/python3.14 /usr/local/include/python3.14
# As CPython's own cross builds do it: sysconfig, and with it pip, speaks for the target.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; *) exit 1 ;; esac \
    && export _PYTHON_HOST_PLATFORM=linux-$cpu CC=$cpu-linux-gnu-gcc \
        _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__linux_$cpu-linux-gnu \
        LDSHARED="$cpu-linux-gnu-gcc -shared" \
    && pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
        -r /requirements.txt
# What running takes: the packages that the target's image lacks, unpacked and listed.
COPY --from=target /var/lib/dpkg/status /libpq/var/lib/dpkg/status
RUN cd /tmp && apt="apt-get -o APT::Architecture=$TARGETARCH -o Dir::State::status=/libpq/var/lib/dpkg/status" \
    && $apt update && $apt install -y --no-install-recommends --download-only libpq5 \
    && for deb in /var/cache/apt/archives/*.deb; do \
        dpkg-deb -x $deb /libpq \
        && { dpkg-deb -f $deb; printf 'Status: install ok installed\n\n'; } >> /libpq/var/lib/dpkg/status || exit 1; \
    done

FROM python:3.14-slim
# The files that useradd changed in there: to run it here would be emulated.
COPY --from=builder /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/
COPY --from=builder /libpq /
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
    CMD ["python", "-c", \
        "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
