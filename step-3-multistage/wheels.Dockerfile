FROM python:3.14-slim AS builder
COPY requirements.txt /requirements.txt
# Packages without a wheel are built here, where compilers could be.
RUN pip wheel --no-cache-dir --require-hashes --no-deps --wheel-dir /wheels \
    -r /requirements.txt

FROM python:3.14-slim
ARG SOURCE_DATE_EPOCH
# The wheels are there while this line runs, and in no layer.
RUN --mount=type=bind,from=builder,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
