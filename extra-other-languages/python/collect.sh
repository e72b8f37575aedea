#!/bin/sh
# Collects what runs, and nothing else: no shell, no package manager, no pip.
#
#   sh collect.sh python /runtime      Python, and of Debian what Python needs
#   sh collect.sh packages /packages   /opt/venv, and what that needs beyond /runtime
#
# smallest.Dockerfile mounts it into stages that have a shell, and copies the two
# folders. To look at one: docker build --file smallest.Dockerfile --target runtime .
set -eu
what=$1 target=$2
mkdir -p "$target/var/lib/dpkg/status.d"
cd "$target"

# The shared libraries of Debian that the loader names for all that is compiled below a
# folder, each under the name that it is looked for by. One that is missing ends the
# build.
libraries_of() {
    find "$1" -type f \( -name '*.so*' -o -name python3.14 \) -exec ldd '{}' + > /linked
    if grep 'not found' /linked >&2; then
        exit 1
    fi
    grep -o '[[:space:]]/lib[^ ]*' /linked | tr -d '[:blank:]' | sort -u
}

# Copies the libraries that a list names. Beside them Debian's name and version of each,
# for scanners, and the licences, for whoever passes them on. A package without a
# licence of its own is under that of another one of the list; GCC's libraries are under
# gcc-base's.
copy_libraries() {
    xargs --no-run-if-empty cp -L --parents -t . < "$1"
    sed 's,^,/usr,' "$1" | xargs --no-run-if-empty dpkg-query --search > /owners
    cut -d : -f 1 /owners | sort -u > /names
    while read -r package; do
        dpkg-query --status "$package" > "var/lib/dpkg/status.d/$package"
        if [ -e "/usr/share/doc/$package/copyright" ]; then
            cp --parents "/usr/share/doc/$package/copyright" .
        fi
    done < /names
    cp --parents /usr/share/doc/gcc-*-base/copyright .
}

case $what in
python)
    cp -a --parents /usr/local/bin/python /usr/local/bin/python3 \
        /usr/local/bin/python3.14 /usr/local/lib .
    # Not pip and its installer, the editor, windows, the manual's text, tests, and what
    # compiling an extension takes.
    (
        cd usr/local/lib/python3.14
        rm -r config-3.14-* ensurepip idlelib pydoc_data site-packages/* tkinter \
            turtle* ../pkgconfig lib-dynload/*test* lib-dynload/_tkinter* \
            lib-dynload/xx*
    )
    # Who is who, how names are looked up, whom to trust and how (OpenSSL), which
    # release it is; and a folder for what is temporary.
    cp -L --parents /etc/passwd /etc/group /etc/nsswitch.conf /etc/os-release \
        /etc/debian_version /etc/ssl/certs/ca-certificates.crt \
        /usr/lib/ssl/openssl.cnf .
    install -d -m 1777 tmp
    libraries_of . > /libraries
    # Nobody names libgcc_s: the C library opens it itself, when a thread is cancelled.
    ls /lib/*/libgcc_s.so.1 >> /libraries
    copy_libraries /libraries
    ;;
packages)
    cp -a --parents /opt/venv .
    libraries_of opt/venv > /wanted
    # Without those that are in /runtime already.
    grep -vxFf /libraries /wanted > /more || true
    copy_libraries /more
    ;;
esac
