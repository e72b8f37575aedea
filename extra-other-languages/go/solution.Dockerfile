FROM --platform=$BUILDPLATFORM golang:1.27-trixie AS builder
WORKDIR /src
# -trimpath: no path of the builder in the program. For the tests too, so that what they
# compile is compiled once.
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build go test ./...
ARG TARGETOS TARGETARCH
# -s -w: without the table of symbols and what a debugger reads; a panic still names its
# lines.
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags="-s -w" -o /server .

# Only for `--target debug`: the same program beside a shell.
FROM debian:trixie-slim AS debug
COPY --from=builder /server /server
CMD ["/server"]

# Nothing: no shell, no C library, no list of users. What is copied is all there is.
FROM scratch
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /server /server

USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["/server", "-health"]
CMD ["/server"]
