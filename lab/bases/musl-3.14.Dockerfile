# CPython and the libraries it needs, compiled against musl from their authors' sources: what python:3.14-alpine is put
# together from. Every package is a stage of its own, so that independent ones are built side by side, and once.
FROM --platform=$BUILDPLATFORM debian:trixie-slim AS sources
RUN apt-get update && apt-get install -y --no-install-recommends bzip2 xz-utils
COPY musl-source.sh /usr/local/bin/
RUN musl-source.sh busybox bzip2 gdbm libffi libzstd make-dfsg ncurses openssl readline sqlite3 util-linux xz-utils zlib
COPY python.tar.xz /
RUN mkdir /src/python && tar -xf /python.tar.xz -C /src/python --strip-components=1

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS libpq-source
RUN apt-get update && apt-get install -y --no-install-recommends bzip2
COPY musl-source.sh pinned-source.sh /usr/local/bin/
RUN pinned-source.sh postgresql-17 17.11 dd27f2b3c59e73ed14aa3324901242bf69a032a6347805f274e6260322d42979

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS toolchain-amd64
ARG TARGETARCH
COPY musl-toolchain.sh /usr/local/bin/
RUN musl-toolchain.sh $TARGETARCH
ENV PATH=/opt/musl/bin:$PATH CFLAGS=-O2 MAKEFLAGS=-j2
WORKDIR /src

# gcc's way to find out about newer atomic instructions, which only arm64 has, asks glibc.
FROM toolchain-amd64 AS toolchain-arm64
RUN sed -i 's/-fstack-clash-protection/& -mno-outline-atomics/' /opt/musl/bin/gcc

FROM toolchain-${TARGETARCH} AS toolchain

FROM toolchain AS busybox-amd64
RUN --mount=type=bind,from=sources,source=/src/busybox,target=/src,rw \
    make defconfig HOSTCC=/usr/bin/gcc \
    && sed -i 's/^\(CONFIG_TC\|CONFIG_HUSH\|CONFIG_DPKG\|CONFIG_DPKG_DEB\|CONFIG_RPM\)=y/# \1 is not set/' .config \
    && make CC=gcc HOSTCC=/usr/bin/gcc install CONFIG_PREFIX=/out \
    && rm /out/linuxrc

# The same, but without the SHA instructions of x86, which busybox takes for granted.
FROM toolchain AS busybox-arm64
RUN --mount=type=bind,from=sources,source=/src/busybox,target=/src,rw \
    make defconfig HOSTCC=/usr/bin/gcc \
    && sed -i \
        's/^\(CONFIG_TC\|CONFIG_HUSH\|CONFIG_DPKG\|CONFIG_DPKG_DEB\|CONFIG_RPM\|CONFIG_SHA1_HWACCEL\|CONFIG_SHA256_HWACCEL\)=y/# \1 is not set/' .config \
    && make CC=gcc HOSTCC=/usr/bin/gcc install CONFIG_PREFIX=/out \
    && rm /out/linuxrc

FROM busybox-${TARGETARCH} AS busybox

FROM toolchain AS zlib
RUN --mount=type=bind,from=sources,source=/src/zlib,target=/src,rw \
    ./configure --prefix=/usr && make install DESTDIR=/out

FROM toolchain AS bzip2
RUN --mount=type=bind,from=sources,source=/src/bzip2,target=/src,rw \
    make -f Makefile-libbz2_so CC=gcc \
    && mkdir -p /out/usr/lib /out/usr/include \
    && cp -a libbz2.so.1* /out/usr/lib/ && ln -s libbz2.so.1.0 /out/usr/lib/libbz2.so && cp bzlib.h /out/usr/include/

FROM toolchain AS xz
RUN --mount=type=bind,from=sources,source=/src/xz-utils,target=/src,rw \
    if [ ! -e configure ]; then ./autogen.sh --no-po4a --no-doxygen; fi \
    && ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --disable-static --disable-xz --disable-xzdec \
        --disable-lzmadec --disable-lzmainfo --disable-scripts --disable-doc --disable-nls \
    && make install DESTDIR=/out

FROM toolchain AS zstd
RUN --mount=type=bind,from=sources,source=/src/libzstd,target=/src,rw \
    make -C lib install-shared install-includes install-pc PREFIX=/usr DESTDIR=/out

FROM toolchain AS libffi
RUN --mount=type=bind,from=sources,source=/src/libffi,target=/src,rw \
    { autoreconf -i || autoreconf -i; } \
    && ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --disable-static --disable-docs \
        --disable-multi-os-directory \
    && make install DESTDIR=/out

# Without the engines, tests, programs, manual pages and static libraries, which are most of the work.
FROM toolchain AS openssl
ARG TARGETARCH
RUN --mount=type=bind,from=sources,source=/src/openssl,target=/src,rw \
    case $TARGETARCH in amd64) target=linux-x86_64 ;; arm64) target=linux-aarch64 ;; esac \
    && ./Configure "$target" --prefix=/usr --libdir=lib --openssldir=/etc/ssl shared enable-ec_nistp_64_gcc_128 \
        no-async no-comp no-ec2m no-engine no-idea no-mdc2 no-rc5 no-seed no-tests no-weak-ssl-ciphers \
    && make build_libs providers/legacy.so LIBS= && make install_dev LIBS= INSTALL_LIBS= DESTDIR=/out \
    && mkdir -p /out/etc/ssl /out/usr/lib/ossl-modules \
    && cp apps/openssl.cnf /out/etc/ssl/ && cp providers/legacy.so /out/usr/lib/ossl-modules/

FROM toolchain AS sqlite
RUN --mount=type=bind,from=sources,source=/src/sqlite3,target=/src,rw \
    ./configure --build="$(gcc --print-multiarch)" --disable-tcl \
    && make -j1 sqlite3.c sqlite3.h \
    && mkdir -p /out/usr/lib /out/usr/include \
    && gcc -O2 -fPIC -shared -Wl,-soname,libsqlite3.so.0 -o /out/usr/lib/libsqlite3.so.0 -DSQLITE_THREADSAFE=1 \
        -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB -DSQLITE_ENABLE_FTS3 \
        -DSQLITE_ENABLE_FTS3_PARENTHESIS -DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_GEOPOLY \
        -DSQLITE_ENABLE_MATH_FUNCTIONS \
        -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_UNLOCK_NOTIFY -DSQLITE_SECURE_DELETE -DSQLITE_USE_URI \
        -DSQLITE_MAX_VARIABLE_NUMBER=250000 sqlite3.c \
    && ln -s libsqlite3.so.0 /out/usr/lib/libsqlite3.so && cp sqlite3.h src/sqlite3ext.h /out/usr/include/

FROM toolchain AS uuid
RUN --mount=type=bind,from=sources,source=/src/util-linux,target=/src,rw \
    ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --libdir=/usr/lib --disable-all-programs \
        --enable-libuuid --disable-static --disable-nls --disable-asciidoc --disable-poman \
    && make install DESTDIR=/out

FROM toolchain AS gdbm
RUN --mount=type=bind,from=sources,source=/src/gdbm,target=/src,rw \
    ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --disable-static --disable-nls \
        --enable-libgdbm-compat --without-readline \
    && make install DESTDIR=/out

FROM toolchain AS ncurses
RUN --mount=type=bind,from=sources,source=/src/ncurses,target=/src,rw \
    ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --with-shared --enable-widec --without-ada \
        --without-cxx --without-cxx-binding --without-debug --without-manpages --without-normal --without-progs \
        --without-tests --disable-stripping --with-default-terminfo-dir=/etc/terminfo --enable-pc-files \
        --with-pkg-config-libdir=/usr/lib/pkgconfig \
    && make && make install.libs install.includes DESTDIR=/out

FROM toolchain AS readline
COPY --from=ncurses /out/ /sysroot/
RUN --mount=type=bind,from=sources,source=/src/readline,target=/src,rw \
    ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --disable-static --with-curses \
        bash_cv_termcap_lib=libncursesw \
    && make SHLIB_LIBS=-lncursesw && make install DESTDIR=/out SHLIB_LIBS=-lncursesw

FROM toolchain AS python
COPY --from=bzip2 /out/ /sysroot/
COPY --from=gdbm /out/ /sysroot/
COPY --from=libffi /out/ /sysroot/
COPY --from=ncurses /out/ /sysroot/
COPY --from=openssl /out/ /sysroot/
COPY --from=readline /out/ /sysroot/
COPY --from=sqlite /out/ /sysroot/
COPY --from=uuid /out/ /sysroot/
COPY --from=xz /out/ /sysroot/
COPY --from=zlib /out/ /sysroot/
COPY --from=zstd /out/ /sysroot/
COPY musl-cpython.sh /usr/local/bin/
RUN --mount=type=bind,from=sources,source=/src/python,target=/src,rw musl-cpython.sh

# Debian's copy of the source lacks the folder of the manual, whose licence Debian does not take as free.
FROM toolchain AS make
RUN --mount=type=bind,from=sources,source=/src/make-dfsg,target=/src,rw \
    mkdir doc && printf 'all:\n' > doc/Makefile.in && touch doc/make.1 \
    && ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --disable-nls --without-guile \
    && make && mkdir -p /out/usr/bin && cp make /out/usr/bin/ && strip /out/usr/bin/make

# PostgreSQL's client library alone, with pg_config, which tells what compiles against it where things are.
FROM toolchain AS libpq
RUN apt-get install -y --no-install-recommends bison flex
COPY --from=libpq-source /src/postgresql-17/ /src/
COPY --from=openssl /out/ /sysroot/
COPY --from=zlib /out/ /sysroot/
RUN ./configure --build="$(gcc --print-multiarch)" --prefix=/usr --without-icu --without-readline --with-openssl \
    && make -C src/backend generated-headers \
    && for part in include interfaces/libpq bin/pg_config; do make -C "src/$part" install DESTDIR=/out || exit; done \
    && find /out '(' -name '*.a' -o -name server -o -name share ')' -prune -exec rm -r '{}' +

FROM python AS packages
ARG TARGETARCH
COPY --from=sources /src/*.version /src/
COPY --from=busybox /out/ /packages/busybox/
COPY apk-entry.sh musl-packages.sh /usr/local/bin/
RUN musl-packages.sh $TARGETARCH

FROM scratch
COPY --from=python /out/ /python/
COPY --from=packages /packages/ /packages/
COPY --from=sources /src/make-dfsg.version /make/version
COPY --from=make /out/ /make/
COPY --from=libpq-source /src/postgresql-17.version /libpq/version
COPY --from=libpq /out/ /libpq/
