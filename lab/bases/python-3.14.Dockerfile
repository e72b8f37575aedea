# python:3.14: all of Debian's usual build packages, and CPython with its debugging symbols.
FROM cpython:3.14 AS cpython
FROM installer:trixie AS installer

FROM buildpack:trixie
ENV PATH=/usr/local/bin:$PATH
RUN --mount=type=bind,from=installer,target=/native \
    /native/install libbluetooth-dev tk-dev uuid-dev
ARG PYTHON_VERSION
ARG PYTHON_SHA256
ENV PYTHON_VERSION=$PYTHON_VERSION
ENV PYTHON_SHA256=$PYTHON_SHA256
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,from=cpython,target=/cpython \
    xargs -a /cpython/packages /native/install \
    && cp -a /cpython/full/. / \
    && ldconfig \
    && export PYTHONDONTWRITEBYTECODE=1 && python3 --version && pip3 --version
COPY extras/python/ /
CMD ["python3"]
