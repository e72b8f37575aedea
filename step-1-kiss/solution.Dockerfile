FROM python:3.14-slim

RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
ENV PYTHONUNBUFFERED=1

WORKDIR /app

COPY --chmod=644 requirements.txt .
# The solution of the exercise: Python keeps bytecode of all that it imports, of pip
# itself here, and of the part of the standard library that pip uses. Unless it is told
# not to.
RUN PYTHONDONTWRITEBYTECODE=1 pip install --no-cache-dir -r requirements.txt

COPY --chmod=755 . .

USER 10001

EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["python", "-Ic", "from _socket import socket; s = socket(); s.settimeout(2); \
  s.connect_ex(('127.0.0.1', 8000)) and exit('no connection'); \
  s.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); a = s.recv(12); b'200' in a or exit(a)"]

CMD ["gunicorn", "--bind=0.0.0.0:8000", "--threads=4", "--access-logfile=-", \
    "--no-control-socket", "app:app"]
