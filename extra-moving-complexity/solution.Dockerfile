FROM python:3.14-slim
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app

# Exported from poetry.lock by the hook in .pre-commit-config.yaml, and committed.
COPY --chmod=644 requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
# PYTHONDONTWRITEBYTECODE: pip compiles what it installs all the same, and leaves no
# bytecode of itself behind.
RUN PYTHONDONTWRITEBYTECODE=1 pip install --no-cache-dir --require-hashes --no-deps \
    -r /requirements.txt
# The solution of the exercise: a list that is not the lock's is refused here too. What
# is mounted is in no layer. Below the installation, so that a lock in which only the
# tests' packages changed does not have it done anew.
RUN --mount=type=bind,source=poetry.lock,target=/poetry.lock \
    --mount=type=bind,source=check_requirements.py,target=/check_requirements.py \
    PYTHONDONTWRITEBYTECODE=1 python /check_requirements.py
ENV PYTHONUNBUFFERED=1

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
