# The packages that the stand-in for apk can add to python:3.14-alpine, one archive each, and their index.
# The compiler is clang as PyPI's `ziglang` brings it, one static program for every kind of Linux, because Debian has no
# libstdc++ for musl. Its C++ library is compiled here, once; what it makes holds that library and needs musl only.
FROM musl:3.14 AS musl

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS zig
RUN apt-get update && apt-get install -y --no-install-recommends binutils binutils-aarch64-linux-gnu unzip
COPY ziglang-*.whl /wheels/
RUN for wheel in /wheels/*.whl; do unzip -q "$wheel" -d "${wheel%.whl}"; done

FROM zig AS packages
ARG TARGETARCH
COPY --from=musl /make/ /packages/make/
COPY --from=musl /libpq/ /packages/libpq/
COPY apk-entry.sh apk-packages.sh /usr/local/bin/
RUN apk-packages.sh $TARGETARCH

FROM scratch
COPY --from=packages /out/ /
