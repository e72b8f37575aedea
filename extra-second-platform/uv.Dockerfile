# On the builder's own processor, whichever the image is for: nothing in it is emulated.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
RUN pip install --no-cache-dir uv==0.13.9
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
ARG TARGETARCH
# uv knows which wheels a platform takes, and evaluates markers for the target.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; *) exit 1 ;; esac \
    && export UV_DEFAULT_INDEX=$(pip config --global get global.index-url || true) \
    && uv pip install --no-cache --python /opt/venv --require-hashes --no-deps \
        --only-binary :all: --python-platform $cpu-manylinux_2_28 --compile-bytecode \
        -r /requirements.txt

FROM python:3.14-slim
# The files that useradd changed in there: to run it here would be emulated.
COPY --from=builder /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/
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
