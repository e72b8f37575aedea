#!/bin/bash
# Starts PostgreSQL as the official image documents it ("How to extend this image", "Environment Variables"):
#
#   POSTGRES_PASSWORD          the superuser's password; needed, unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER              the superuser, by default postgres
#   POSTGRES_DB                a database to make, by default called like the user
#   POSTGRES_INITDB_ARGS       more arguments for initdb
#   POSTGRES_HOST_AUTH_METHOD  how clients from elsewhere prove who they are, by default with the password
#   PGDATA                     where the data lies
#
# The first three, and the arguments, may stand in a file, which then POSTGRES_…_FILE names. All of them count when PGDATA
# is empty. So do the files in /docker-entrypoint-initdb.d: *.sh, *.sql, and *.sql compressed, in the order of their names.
#
# Unlike the official one, it does not leave the password in the environment of the server that it starts.
set -Eeuo pipefail

fail() {
    printf 'Error: %s\n' "$@" >&2
    exit 1
}

# Set a variable from itself, from the file that its _FILE companion names, or to a default.
setting() {
    local name=$1 file_name=${1}_FILE default=${2:-}
    local value=${!name:-} file=${!file_name:-}
    [[ -z $value || -z $file ]] || fail "$name and $file_name are both set, and only one of them may be."
    if [[ -n $file ]]; then
        value=$(<"$file") || fail "$file_name names $file, which cannot be read."
    fi
    export "$name=${value:-$default}"
    unset "$file_name"
}

settings() {
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
}

# Run SQL from standard input in the new database, through the local socket, where everybody is trusted.
sql() {
    PGHOST='' PGHOSTADDR='' psql --set=ON_ERROR_STOP=1 --no-psqlrc --no-password --username="$POSTGRES_USER" "$@"
}

make_cluster() {
    if [[ -z $POSTGRES_PASSWORD && ${POSTGRES_HOST_AUTH_METHOD:-} != trust ]]; then
        fail "There is no database yet, and no password for its superuser: set POSTGRES_PASSWORD, or" \
            "POSTGRES_PASSWORD_FILE. POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without one, which is seldom right."
    fi
    local initdb_arguments=()
    eval "initdb_arguments=($POSTGRES_INITDB_ARGS)"
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-}") \
        --set=listen_addresses='*' "${initdb_arguments[@]}"
    local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

# The functions and variables of this script are there for a file that is sourced, as with the official image.
run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) if [[ -x $file ]]; then "$file"; else
                # shellcheck source=/dev/null
                . "$file"
            fi ;;
            *.sql) sql --dbname="$POSTGRES_DB" < "$file" ;;
            *.sql.gz) gunzip --stdout "$file" | sql --dbname="$POSTGRES_DB" ;;
            *.sql.xz) xzcat "$file" | sql --dbname="$POSTGRES_DB" ;;
            *.sql.zst) zstd --decompress --stdout "$file" | sql --dbname="$POSTGRES_DB" ;;
            /docker-entrypoint-initdb.d/\*) continue ;;
            *) echo "$file is ignored" ;;
        esac
        echo "$file is done"
    done
}

# With a server that only this container can reach, so that nobody finds a database that is half made.
fill_cluster() {
    pg_ctl --pgdata="$PGDATA" --wait --options="$(printf '%q ' "$@" -c listen_addresses=)" start
    if [[ $POSTGRES_DB != postgres ]]; then
        sql --dbname=postgres --set=name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'
    fi
    run_init_files
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
# Another command, or a question that needs no database.
if [[ ${1:-} != postgres || " $* " =~ \ (--help|-\?|--version|-V|--describe-config)\  ]]; then
    exec "$@"
fi

settings
if [[ $(id --user) == 0 ]]; then
    mkdir --parents "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [[ -s $PGDATA/PG_VERSION ]]; then
    echo "There is a database in $PGDATA already: nothing to initialise."
else
    make_cluster "${@:2}"
    fill_cluster "${@:2}"
fi
unset POSTGRES_PASSWORD
exec "$@"
