# nginx:stable-alpine-slim: a stand-in without Alpine, of the same musl and busybox as python:3.14-alpine. nginx, PCRE and
# zlib are compiled from their authors' sources, with the official image's switches; without TLS, which needs OpenSSL.
FROM musl:3.14 AS musl

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS sources
RUN apt-get update && apt-get install -y --no-install-recommends bzip2 xz-utils
COPY musl-source.sh /usr/local/bin/
RUN musl-source.sh nginx pcre2 zlib

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS toolchain
ARG TARGETARCH
COPY musl-toolchain.sh /usr/local/bin/
RUN musl-toolchain.sh $TARGETARCH
ENV PATH=/opt/musl/bin:$PATH CFLAGS=-O2 MAKEFLAGS=-j2
# gcc's way to find out about newer atomic instructions, which only arm64 has, asks glibc.
RUN if [ $TARGETARCH = arm64 ]; then sed -i 's/-fstack-clash-protection/& -mno-outline-atomics/' /opt/musl/bin/gcc; fi
WORKDIR /src/nginx

FROM toolchain AS nginx
RUN --mount=type=bind,from=sources,source=/src,target=/src,rw \
    options='addition auth_request dav flv gunzip gzip_static mp4 random_index realip secure_link slice stub_status sub v2' \
    && ./configure --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx --modules-path=/usr/lib/nginx/modules \
        --conf-path=/etc/nginx/nginx.conf --pid-path=/run/nginx.pid --lock-path=/run/nginx.lock \
        --error-log-path=/var/log/nginx/error.log --http-log-path=/var/log/nginx/access.log \
        --http-client-body-temp-path=/var/cache/nginx/client_temp --http-proxy-temp-path=/var/cache/nginx/proxy_temp \
        --http-fastcgi-temp-path=/var/cache/nginx/fastcgi_temp --http-uwsgi-temp-path=/var/cache/nginx/uwsgi_temp \
        --http-scgi-temp-path=/var/cache/nginx/scgi_temp --user=nginx --group=nginx \
        --with-compat --with-file-aio --with-threads --with-stream --with-stream_realip_module \
        $(printf -- '--with-http_%s_module ' $options) --with-cc=gcc --with-pcre=/src/pcre2 --with-zlib=/src/zlib \
    && make && make install DESTDIR=/out && strip /out/usr/sbin/nginx \
    && mkdir -p /out/usr/share/nginx /out/usr/lib/nginx/modules /out/var/cache/nginx \
    && mv /out/etc/nginx/html /out/usr/share/nginx/ && rm /out/etc/nginx/*.default \
    && sed -i 's, html;, /usr/share/nginx/html;,' /out/etc/nginx/nginx.conf

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS system
COPY --from=musl /packages/ /packages/
RUN mkdir -p /system/dev /system/proc /system/root /system/run /system/sys /system/tmp /system/var/log \
    && chmod 1777 /system/tmp && chmod 700 /system/root && ln -s ../run /system/var/run \
    && for package in busybox libcrypto3 libssl3 musl tzdata zlib; do cp -a /packages/$package/. /system/; done
COPY alpine/etc/ /system/etc/
RUN echo 'nginx:x:101:101:nginx:/var/cache/nginx:/sbin/nologin' >> /system/etc/passwd \
    && echo 'nginx:x:101:nginx' >> /system/etc/group && echo 'nginx:!::0:::::' >> /system/etc/shadow
COPY --from=nginx /out/ /system/
RUN mkdir /system/docker-entrypoint.d && cd /system/var/log/nginx \
    && ln -s /dev/stdout access.log && ln -s /dev/stderr error.log
COPY --chmod=755 nginx-entrypoint.sh /system/docker-entrypoint.sh

FROM scratch
LABEL org.opencontainers.image.description="Stand-in for nginx:stable-alpine-slim: no Alpine in it, no apk, no TLS"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=system /system/ /
ENTRYPOINT ["/docker-entrypoint.sh"]
EXPOSE 80
# nginx's graceful shutdown: it answers what it was asked.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
