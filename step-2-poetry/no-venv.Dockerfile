FROM python:3.14

# A tool is a dependency too: without a version, next month's build uses another Poetry.
RUN pip install --no-cache-dir poetry==2.5.1

# No environment of its own: the packages go where Poetry's own packages are. Is that smaller?
ENV POETRY_VIRTUALENVS_CREATE=0

WORKDIR /app

# The lock goes in before the code, so that a change in the code leaves the installed packages in the cache.
COPY pyproject.toml poetry.lock ./
# Not the tests' packages, not yet the application (its code is not here), and no cache for a next time.
RUN poetry install --only main --no-root --no-cache

COPY src src

EXPOSE 8000

CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--access-logfile", "-", "--pythonpath", "src", "whichimage:app"]
