# python:3.14: all of Debian's usual build packages, and CPython with its debugging symbols.
# The first three RUN lines are the three layers of buildpack-deps:trixie, on which the official image stands.
FROM cpython:3.14 AS cpython

FROM debian:trixie
RUN --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl gnupg netbase sq wget \
    && cp -r /extra-ca/. /usr/local/share/ca-certificates/ && update-ca-certificates \
    && apt-get dist-clean
RUN apt-get update \
    && apt-get install -y --no-install-recommends git mercurial openssh-client procps subversion \
    && apt-get dist-clean
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        autoconf automake bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc imagemagick libbz2-dev libc6-dev \
        libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev libglib2.0-dev libgmp-dev libjpeg-dev \
        libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev libmaxminddb-dev libncurses5-dev libncursesw5-dev \
        libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libtool libwebp-dev libxml2-dev libxslt-dev \
        libyaml-dev make patch unzip xz-utils zlib1g-dev \
    && apt-get dist-clean

ENV PATH=/usr/local/bin:$PATH
RUN apt-get update \
    && apt-get install -y --no-install-recommends libbluetooth-dev tk-dev uuid-dev \
    && apt-get dist-clean
ARG PYTHON_VERSION
ARG PYTHON_SHA256
ENV PYTHON_VERSION=$PYTHON_VERSION
ENV PYTHON_SHA256=$PYTHON_SHA256
RUN --mount=type=bind,from=cpython,target=/cpython \
    apt-get update \
    && xargs -a /cpython/packages apt-get install -y --no-install-recommends \
    && apt-get dist-clean \
    && cp -a /cpython/full/. / \
    && ldconfig \
    && export PYTHONDONTWRITEBYTECODE=1 && python3 --version && pip3 --version
COPY extras/python/ /
CMD ["python3"]
