FROM python:3.14-slim
# psycopg2 would be compiled here. This base has no compiler and no headers: the build
# fails, and that is the lesson.
COPY --chmod=644 requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
