FROM python:3.14-slim

# Everything that building may need, and it stays.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir poetry==2.5.1

ENV POETRY_VIRTUALENVS_IN_PROJECT=1 PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY --chmod=644 pyproject.toml poetry.lock ./
RUN poetry install --only main --no-root --no-cache

COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
