FROM python:3.14

# A tool is a dependency too: without a version, next month's build uses another Poetry.
RUN pip install --no-cache-dir poetry==2.5.1

# The solution of the exercise: no pip in the environment, since Poetry needs none there.
ENV POETRY_VIRTUALENVS_OPTIONS_NO_PIP=1

# The environment in the project's folder, and first on the path: what runs is gunicorn itself, not Poetry around it.
ENV POETRY_VIRTUALENVS_IN_PROJECT=1 \
    PATH=/app/.venv/bin:$PATH

WORKDIR /app

# The lock goes in before the code, so that a change in the code leaves the installed packages in the cache.
COPY pyproject.toml poetry.lock ./
# Not the tests' packages, not yet the application (its code is not here), and no cache for a next time.
RUN poetry install --only main --no-root --no-cache

COPY src src

EXPOSE 8000

CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--access-logfile", "-", "--pythonpath", "src", "whichimage:app"]
