FROM --platform=$BUILDPLATFORM node:24-trixie AS builder
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY *.js index.html ./
COPY public public
COPY src src
RUN npm test && npm run build
ARG TARGETARCH VARIANT
RUN node image.js > dist/image.json

# A server of a page of Go, which the site is compiled into: one file is all that ships.
FROM --platform=$BUILDPLATFORM golang:1.27-trixie AS server
WORKDIR /src
ENV CGO_ENABLED=0
COPY server .
COPY --from=builder /src/dist dist
RUN --mount=type=cache,target=/root/.cache/go-build go test ./...
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w" -o /server .

FROM scratch
COPY --from=server /server /server

USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=0.25s \
  CMD ["/server", "-health"]
CMD ["/server"]
