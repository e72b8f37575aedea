FROM python:3.14-slim AS builder
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
RUN pip --python /opt/venv install --no-cache-dir -r /requirements.txt

FROM python:3.14-slim
COPY --from=builder /opt/venv /opt/venv
