FROM python:3.14-slim
# What compiling takes, and it stays.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential libpq-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=644 requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
