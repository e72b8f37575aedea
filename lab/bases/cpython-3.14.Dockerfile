# CPython, compiled once for each platform and shared by python:3.14 and python:3.14-slim.
# The official images compile it twice, once in each Dockerfile; the steps and configure switches here are theirs, except
# --enable-optimizations and --with-lto: a profile-guided build runs the test suite, which emulation makes hopeless.
# For arm64, branch protection is left out too, because its instructions are slow under emulation.
FROM --platform=$BUILDPLATFORM debian:trixie-slim AS source
RUN apt-get update && apt-get install -y --no-install-recommends \
        clang-19 dpkg-dev gcc libbluetooth-dev libbz2-dev libc6-dev libdb-dev libffi-dev libgdbm-dev liblzma-dev \
        libncursesw5-dev libreadline-dev libsqlite3-dev libssl-dev libzstd-dev llvm-19 make python3 tk-dev uuid-dev \
        xz-utils zlib1g-dev
COPY python.tar.xz /
RUN mkdir -p /usr/src/python && tar -xf /python.tar.xz -C /usr/src/python --strip-components=1
COPY cpython.sh /usr/local/bin/
WORKDIR /usr/src/python

FROM source AS build-amd64
RUN cpython.sh x86_64-linux-gnu

# Compiled on amd64 for arm64: under emulation the same compilation takes many times longer.
FROM build-amd64 AS build-arm64
RUN dpkg --add-architecture arm64 && apt-get update && apt-get install -y --no-install-recommends \
        gcc-aarch64-linux-gnu libbluetooth-dev:arm64 libbz2-dev:arm64 libc6-dev:arm64 libdb-dev:arm64 libffi-dev:arm64 \
        libgdbm-dev:arm64 liblzma-dev:arm64 libncurses-dev:arm64 libreadline-dev:arm64 libsqlite3-dev:arm64 \
        libssl-dev:arm64 libzstd-dev:arm64 tk-dev:arm64 uuid-dev:arm64 zlib1g-dev:arm64
RUN cpython.sh aarch64-linux-gnu

FROM build-${TARGETARCH} AS build
FROM scratch
COPY --from=build /out/ /
