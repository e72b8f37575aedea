# python:3.14-slim: Debian without documentation, and a stripped CPython with the libraries it is linked to.
FROM cpython:3.14 AS cpython
FROM installer:trixie AS installer

FROM debian:trixie-slim
ENV PATH=/usr/local/bin:$PATH
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && /native/install ca-certificates netbase tzdata

ARG PYTHON_VERSION
ARG PYTHON_SHA256
ENV PYTHON_VERSION=$PYTHON_VERSION
ENV PYTHON_SHA256=$PYTHON_SHA256
# One layer, as in the official image: the interpreter and what it needs. And adduser: there it comes with a build
# dependency, and autoremove keeps it, because apt depends on "base-passwd | adduser".
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,from=cpython,target=/cpython \
    xargs -a /cpython/packages /native/install adduser \
    && cp -a /cpython/slim/. / \
    && ldconfig \
    && export PYTHONDONTWRITEBYTECODE=1 && python3 --version && pip3 --version
COPY extras/python/ /
CMD ["python3"]
