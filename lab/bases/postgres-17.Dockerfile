# postgres:17: Debian's PostgreSQL, which keeps the promises of the official image that a compose file relies on: its
# variables, its folders, its user, its signals. postgres-entrypoint.sh says which.
FROM installer:trixie AS installer

FROM debian:trixie-slim
# The user's numbers are the official image's, so that a volume fits both. Debian's package takes a user that is there.
RUN groupadd --system --gid 999 postgres \
    && useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres

# initdb takes the new cluster's language and encoding from LANG.
RUN --mount=type=bind,from=installer,target=/native \
    /native/install locales xz-utils zstd \
    && localedef --inputfile=en_US --charmap=UTF-8 --alias-file=/usr/share/locale/locale.alias en_US.UTF-8
ENV LANG=en_US.utf8

ENV PG_MAJOR=17
ENV PATH=$PATH:/usr/lib/postgresql/17/bin
# Debian would make a cluster at once, with its own place and settings: here the entry point makes it, when it starts.
RUN --mount=type=bind,from=installer,target=/native \
    mkdir /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && /native/install -o Dpkg::Options::=--force-confold postgresql-17

ENV PGDATA=/var/lib/postgresql/data
RUN mkdir /docker-entrypoint-initdb.d \
    && install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql "$PGDATA" \
    && install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql
VOLUME /var/lib/postgresql/data

COPY --chmod=755 postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
# PostgreSQL's fast shutdown: it ends sessions and writes everything. SIGTERM would wait for the last client to leave.
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
