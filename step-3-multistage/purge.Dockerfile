FROM python:3.14-slim

ENV POETRY_VIRTUALENVS_IN_PROJECT=1 PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY --chmod=644 pyproject.toml poetry.lock ./
# All in one RUN: what a layer deletes again before it ends was never in it. What comes
# in a later RUN is too late.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && pip install --no-cache-dir --target /tmp/poetry poetry==2.5.1 \
    && PYTHONPATH=/tmp/poetry python -m poetry install --only main --no-root \
        --no-cache \
    && rm -r /tmp/poetry \
    && apt-get purge -y --auto-remove build-essential \
    && rm -rf /var/lib/apt/lists/*

COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
