# Poetry turns the lock into a list with hashes, and stays behind in this stage. The list is the same for each platform, so
# it is made on the builder's own, whichever the image is for.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry export --only main,production --output requirements.txt

FROM python:3.14-slim
# What compiling takes, and it stays.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential libpq-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=lock /app/requirements.txt /requirements.txt
# --require-hashes refuses a package that is not the one that was locked. --no-deps: the list is complete.
RUN pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
