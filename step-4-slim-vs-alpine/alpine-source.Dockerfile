FROM python:3.14-alpine
# Compilers for C and C++, which stay: this is one stage.
RUN apk add --no-cache g++ gcc musl-dev
COPY --chmod=644 requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
# --no-binary takes NumPy's sdist, although there is a wheel, and compiles it here.
RUN pip install --no-cache-dir --require-hashes --no-deps --no-binary numpy \
    -r /requirements.txt
ENV PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
