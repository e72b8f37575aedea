# Python, the application, and the libraries that these two are linked to, in an empty
# image.
FROM python:3.14-slim AS builder
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
    -r /requirements.txt
# What NumPy brings for its own tests, for type checkers and for compiling against it.
# f2py compiles Fortran.
RUN find /opt/venv -depth \( -name tests -o -name '*.pyi' -o -name include \
    -o -name '*.a' -o -name f2py \) -exec rm -r '{}' +

# These two stages have a shell. collect.sh says what is taken out of them, and why.
FROM python:3.14-slim AS runtime
RUN useradd --no-create-home --shell /usr/sbin/nologin --uid 10001 app
RUN --mount=type=bind,source=collect.sh,target=/collect.sh \
    sh /collect.sh python /runtime

FROM runtime AS packages
COPY --from=builder /opt/venv /opt/venv
RUN --mount=type=bind,source=collect.sh,target=/collect.sh \
    sh /collect.sh packages /packages

FROM scratch
# The first layer is the same in all your images that begin like this: a machine fetches
# it once. The second one changes with the packages, the last ones with the code.
COPY --from=runtime /runtime /
COPY --from=packages /packages /
# Here is no system that says where to look for programs and certificates.
ENV PATH=/opt/venv/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["python", "-Ic", "from _socket import socket; s = socket(); s.settimeout(2); \
  s.connect_ex(('127.0.0.1', 8000)) and exit('no connection'); \
  s.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); a = s.recv(12); b'200' in a or exit(a)"]
CMD ["gunicorn", "whichimage:app"]
