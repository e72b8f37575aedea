# The three layers of buildpack-deps:trixie, on which the official python:3.14 stands: all of Debian's usual build packages.
# An image of its own, so that they are compressed while CPython is still being compiled.
FROM installer:trixie AS installer

FROM debian:trixie
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && /native/install ca-certificates curl gnupg netbase sq wget
RUN --mount=type=bind,from=installer,target=/native \
    /native/install git mercurial openssh-client procps subversion
RUN --mount=type=bind,from=installer,target=/native \
    /native/install \
        autoconf automake bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc imagemagick libbz2-dev libc6-dev \
        libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev libglib2.0-dev libgmp-dev libjpeg-dev \
        libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev libmaxminddb-dev libncurses5-dev libncursesw5-dev \
        libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libtool libwebp-dev libxml2-dev libxslt-dev \
        libyaml-dev make patch unzip xz-utils zlib1g-dev
