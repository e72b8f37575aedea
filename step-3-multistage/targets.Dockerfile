# One file for four purposes: `docker build --target development`, `--target testing`, or, without, production.
# Poetry turns the lock into a list with hashes, and stays behind in this stage. The list is the same for each platform, so
# it is made on the builder's own, whichever the image is for.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry export --only main --output requirements.txt \
    && poetry export --with dev --output requirements-dev.txt

FROM python:3.14-slim AS base
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app

FROM base AS builder
RUN python -m venv --without-pip /opt/venv
COPY --from=lock /app/requirements.txt /requirements.txt
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps -r /requirements.txt

FROM builder AS builder-dev
COPY --from=lock /app/requirements-dev.txt /requirements-dev.txt
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps -r /requirements-dev.txt

# The code is mounted, not copied: compose.yaml's service `development` does that, and gunicorn reloads what changes.
FROM base AS development
COPY --from=builder-dev /opt/venv /opt/venv
USER 10001
CMD ["gunicorn", "--reload", "--pythonpath", "src", "whichimage:app"]

# Built with `--target testing`: the build fails when a test does.
FROM base AS testing
COPY --from=builder-dev /opt/venv /opt/venv
COPY pyproject.toml ./
COPY src src
COPY tests tests
RUN python -m pytest -p no:cacheprovider

FROM base AS production
COPY --from=builder /opt/venv /opt/venv
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --start-interval=0.25s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
