# The builder's own Debian, mounted at /native by the bases that install packages: its apt, dpkg and tools do for another
# processor what takes four times as long under emulation. What a package brings and runs itself is still emulated.
FROM --platform=$BUILDPLATFORM debian:trixie AS for-amd64

FROM for-amd64 AS for-arm64
ARG TARGETARCH
# Certificates, bytecode and the list of MIME types are the same bytes on each processor.
RUN --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssl python3-minimal shared-mime-info \
    && apt-get dist-clean
COPY installer/foreign/ /foreign/
# dpkg has its processor compiled in, and nothing else in it depends on that: these copies take packages for another one.
RUN for tool in /usr/bin/dpkg /usr/bin/dpkg-*; do sed "s/amd64/$TARGETARCH/g" "$tool" > "/foreign/${tool##*/}.real"; done \
    && for tool in /foreign/*.real; do [ -e "${tool%.real}" ] || mv "$tool" "${tool%.real}"; done \
    && sed 's,/usr/bin/python,/native&,' /usr/bin/py3compile > /foreign/py3compile \
    && echo "APT::Architecture \"$TARGETARCH\";" >> /foreign/apt.conf \
    && chmod 755 /foreign/dpkg* /foreign/py3compile

FROM for-${TARGETARCH}
COPY installer/install.sh /install
