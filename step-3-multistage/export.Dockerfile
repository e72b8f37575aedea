# Poetry turns the lock into a list with hashes, and stays behind in this stage. The
# list is the same for each platform, so it is made on the builder's own, whichever the
# image is for.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry export --only main --output requirements.txt

FROM python:3.14-slim
COPY --from=lock /app/requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
