FROM python:3.14-slim AS builder
RUN pip install --no-cache-dir uv==0.13.9
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
# uv reads no pip.conf, so it is told which index that one names, if it does.
RUN UV_DEFAULT_INDEX=$(pip config --global get global.index-url || true) \
    uv pip install --python /opt/venv --no-cache --compile-bytecode -r /requirements.txt

FROM python:3.14-slim
COPY --from=builder /opt/venv /opt/venv
