FROM python:3.14-slim
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app

RUN pip install --no-cache-dir poetry==2.5.1

# No environment of its own: the packages go where Poetry's own packages are. Is that
# smaller?
ENV POETRY_VIRTUALENVS_CREATE=0 PYTHONUNBUFFERED=1

WORKDIR /app

COPY --chmod=644 pyproject.toml poetry.lock ./
RUN poetry install --only main --no-root --no-cache

COPY --chmod=755 src src

USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["python", "-Ic", "from _socket import socket; s = socket(); s.settimeout(2); \
  s.connect_ex(('127.0.0.1', 8000)) and exit('no connection'); \
  s.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); a = s.recv(12); b'200' in a or exit(a)"]
CMD ["gunicorn", "--bind=0.0.0.0:8000", "--threads=4", "--access-logfile=-", \
    "--no-control-socket", "--pythonpath=src", "whichimage:app"]
