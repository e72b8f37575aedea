FROM python:3.14-slim AS builder
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
RUN pip --python /opt/venv install --no-cache-dir --no-compile -r /requirements.txt
# -b: beside the source, where Python finds bytecode that has no source.
RUN python -m compileall -q -b /opt/venv/lib && find /opt/venv/lib -name "*.py" -delete

FROM python:3.14-slim
COPY --from=builder /opt/venv /opt/venv
