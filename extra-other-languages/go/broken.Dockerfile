# The builder's own processor compiles, whichever the image is for: Go can do that.
FROM --platform=$BUILDPLATFORM golang:1.27-trixie AS builder
WORKDIR /src
# Without C: the program needs no library, and no C compiler for another platform.
ENV CGO_ENABLED=0
COPY . .
# A test that fails ends the build. What was compiled before is in the mounted folder,
# and in no layer.
RUN --mount=type=cache,target=/root/.cache/go-build go test -tags broken ./...
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /server .

# Slim has no certificates. Without them, a program calls nobody over HTTPS.
FROM debian:trixie-slim
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /server /server

# The number is enough: nothing has to run in this stage, so nothing is emulated.
USER 10001

EXPOSE 8000
# While it starts, ask often; then now and then. The program asks itself.
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["/server", "-health"]
CMD ["/server"]
