# Poetry turns the lock into a list with hashes, and stays behind in this stage. The list is the same for each platform, so
# it is made on the builder's own, whichever the image is for.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry export --only main --output requirements.txt

FROM python:3.14-slim AS builder
COPY --from=lock /app/requirements.txt /requirements.txt
# Packages without a wheel are built here, where compilers could be.
RUN pip wheel --no-cache-dir --require-hashes --no-deps --wheel-dir /wheels -r /requirements.txt

FROM python:3.14-slim
# The classic: copy, install, delete. The first of the three layers ships whatever the last one does.
COPY --from=builder /wheels /wheels
RUN pip install --no-cache-dir --no-index --no-deps /wheels/*.whl
RUN rm -r /wheels

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
