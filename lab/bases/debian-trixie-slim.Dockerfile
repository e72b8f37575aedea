# debian:trixie without what a container rarely reads: manual pages, translations, documentation (licences stay).
FROM debian:trixie AS full
RUN find /usr/share/doc -depth -type f ! -name copyright -delete \
    && find /usr/share/doc -depth -type l -delete \
    && find /usr/share/doc -depth -type d -empty -delete \
    && rm -rf /usr/share/man/* /usr/share/info/* /usr/share/groff/* /usr/share/lintian/* /usr/share/linda/* \
        /var/cache/man/* \
    && find /usr/share/locale -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf '{}' +
COPY dpkg-slim.cfg /etc/dpkg/dpkg.cfg.d/docker

FROM scratch
COPY --from=full / /
CMD ["bash"]
