# Alpine has fewer files than slim, and a smaller C library: step 4 weighs both.
FROM python:3.14-alpine AS builder
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
    -r /requirements.txt

FROM python:3.14-alpine
RUN adduser -S -D -H -s /sbin/nologin -u 10001 app
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
