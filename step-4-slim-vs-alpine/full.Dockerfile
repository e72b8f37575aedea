# The line that differs.
FROM python:3.14
COPY --chmod=644 requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
ENV PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
