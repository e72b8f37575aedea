# The builder's own Debian, mounted at /native by the bases that install packages: its apt, dpkg and tools do for another
# processor what takes four times as long under emulation. What a package brings and runs itself is still emulated.
# Certificates, bytecode and the list of MIME types are the same bytes on each processor.
FROM --platform=$BUILDPLATFORM debian:trixie AS for-amd64
RUN --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssl python3-minimal shared-mime-info \
    && apt-get dist-clean
COPY installer/shared/ /shared/

FROM for-amd64 AS for-arm64
ARG TARGETARCH
COPY installer/foreign/ /foreign/
# dpkg has its processor compiled in, and nothing else in it depends on that: these copies take packages for another one.
RUN for tool in /usr/bin/dpkg /usr/bin/dpkg-*; do sed "s/amd64/$TARGETARCH/g" "$tool" > "/foreign/${tool##*/}.real"; done \
    && for tool in /foreign/*.real; do [ -e "${tool%.real}" ] || mv "$tool" "${tool%.real}"; done \
    && echo "APT::Architecture \"$TARGETARCH\";" >> /foreign/apt.conf
# Scripts that name their interpreter get the builder's.
RUN for script in /usr/bin/* /usr/sbin/*; do \
        grep -qE '^#! ?/usr/bin/(perl|python3)' "$script" || continue; \
        sed 's,/usr/bin/perl,/native&,; s,/usr/bin/python,/native&,' "$script" > "/foreign/${script##*/}" || exit; done \
    && chmod 755 /foreign/*

FROM for-${TARGETARCH}
COPY installer/install.sh /install
