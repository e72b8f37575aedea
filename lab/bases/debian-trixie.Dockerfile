# Debian's minimal system, made by mmdebstrap, with the settings for apt and dpkg that the official image has.
FROM scratch
ARG TARGETARCH
ADD rootfs-$TARGETARCH.tar /
COPY debian/ /
COPY extras/debian/ /
CMD ["bash"]
