FROM python:3.14-slim AS builder
COPY requirements.txt /requirements.txt
# Packages without a wheel are built here, where compilers could be.
RUN pip wheel --no-cache-dir --require-hashes --no-deps --wheel-dir /wheels \
    -r /requirements.txt

FROM python:3.14-slim
# The classic: copy, install, delete. The first of the three layers ships whatever the
# last one does.
COPY --from=builder /wheels /wheels
ARG SOURCE_DATE_EPOCH
RUN pip install --no-cache-dir --no-index --no-deps /wheels/*.whl
RUN rm -r /wheels
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
