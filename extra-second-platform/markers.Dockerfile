# On the builder's own processor, whichever the image is for: nothing in it is emulated.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS builder
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
# Without pip: the one that is here already can install into another environment.
RUN python -m venv --without-pip /opt/venv
COPY requirements-markers.txt /requirements.txt
ARG TARGETARCH
# Wheels for the target. pip takes a tag by its name alone: each one that fits is named.
# --no-compile: bytecode, which is the same on each processor, keeps the path that it was
# compiled at. Scripts belong beside the interpreter.
RUN case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; *) exit 1 ;; esac \
    && packages=/opt/venv/lib/python3.14/site-packages \
    && pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
        --only-binary=:all: --platform manylinux_2_28_$cpu --platform manylinux_2_27_$cpu \
        --platform manylinux_2_17_$cpu --platform manylinux2014_$cpu \
        --no-compile --target $packages -r /requirements.txt \
    && python -m compileall -q $packages \
    && mv $packages/bin/* /opt/venv/bin/ && rmdir $packages/bin

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
