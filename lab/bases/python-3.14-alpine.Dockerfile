# python:3.14-alpine: a stand-in without Alpine. musl, busybox and CPython, put together as the official image is.
FROM apk:packages AS apk
FROM musl:3.14 AS musl

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS system
ARG TARGETARCH
COPY --from=musl /packages/ /packages/
COPY --from=apk /index.* /packages/apk-lab/lib/apk/
COPY alpine/ /packages/baselayout-lab/
COPY apk-entry.sh musl-system.sh /usr/local/bin/
RUN --mount=type=bind,source=extras/ca-certificates,target=/extra-ca musl-system.sh $TARGETARCH

FROM scratch
LABEL org.opencontainers.image.description="Stand-in for python:3.14-alpine: no Alpine in it; apk knows few packages"
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=system /system/ /
ARG PYTHON_VERSION
ARG PYTHON_SHA256
ENV PYTHON_VERSION=$PYTHON_VERSION
ENV PYTHON_SHA256=$PYTHON_SHA256
RUN --mount=type=bind,from=musl,target=/musl \
    cp -a /musl/python/. / && export PYTHONDONTWRITEBYTECODE=1 && python3 --version && pip3 --version
COPY extras/alpine/ extras/python/ /
CMD ["python3"]
