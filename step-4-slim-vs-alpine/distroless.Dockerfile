# Python, the application, and the libraries that these two are linked to. No shell, no package manager, no pip.
# Poetry turns the lock into a list with hashes, and stays behind in this stage. The list is the same for each platform, so
# it is made on the builder's own, whichever the image is for.
FROM --platform=$BUILDPLATFORM python:3.14-slim AS lock
RUN pip install --no-cache-dir poetry==2.5.1 poetry-plugin-export==1.10.1
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry export --only main --output requirements.txt

FROM python:3.14-slim AS builder
# Without pip: the one that is here already can install into another environment.
RUN python -m venv --without-pip /opt/venv
COPY --from=lock /app/requirements.txt /requirements.txt
# --require-hashes refuses a package that is not the one that was locked. --no-deps: the list is complete.
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
# What NumPy brings for its own tests, for type checkers and for compiling against it. f2py compiles Fortran.
RUN find /opt/venv -depth \( -name tests -o -name '*.pyi' -o -name include -o -name '*.a' -o -name f2py \) -exec rm -r '{}' +

# This stage has a shell, so here is collected below /image what is to run. `docker build --target runtime` shows it to you.
FROM python:3.14-slim AS runtime
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
COPY --from=builder /opt/venv /opt/venv
# Of Python: not pip and its installer, the editor, windows, the manual's text, tests, and what compiling an extension takes.
WORKDIR /usr/local/lib/python3.14
RUN rm -r config-3.14-* ensurepip idlelib pydoc_data site-packages/* tkinter turtle* ../pkgconfig \
        lib-dynload/{*test*,_tkinter*,xx*}
WORKDIR /image
RUN cp -a --parents /usr/local/bin/python{,3,3.14} /usr/local/lib .
# Of the system: who is who, how names are looked up, whom to trust and how (OpenSSL), which release it is; and /tmp.
RUN cp -L --parents /etc/{passwd,group,nsswitch.conf,ssl/certs/ca-certificates.crt,os-release,debian_version} \
        /usr/lib/ssl/openssl.cnf . && install -d -m 1777 tmp
# The shared libraries that the loader names for all of that, each under the name that it is looked for by: one that it does
# not find ends the build. libgcc_s is one that nobody names: the C library opens it itself, when a thread is cancelled.
RUN find /usr/local /opt/venv -type f \( -name '*.so*' -o -name python3.14 \) -exec ldd '{}' + > /linked \
    && ! grep 'not found' /linked \
    && { grep -oP '\s\K/lib\S+' /linked; ls /lib/*/libgcc_s.so.1; } | sort -u > /libraries \
    && xargs cp -L --parents -t . < /libraries
# Debian's name and version of each, for scanners, and the licences, for whoever passes them on. Where a package has none of
# its own, it is another one's of the list; of GCC's libraries, gcc-base's.
RUN mkdir -p var/lib/dpkg/status.d && sed 's,^,/usr,' /libraries | xargs dpkg-query --search | cut -d : -f 1 | sort -u \
    | while read -r package; do \
        dpkg-query --status "$package" > "var/lib/dpkg/status.d/$package"; \
        if [ -e "/usr/share/doc/$package/copyright" ]; then cp --parents "/usr/share/doc/$package/copyright" .; fi; \
    done && cp --parents /usr/share/doc/gcc-*-base/copyright .

FROM scratch
COPY --from=runtime /image /
COPY --from=builder /opt/venv /opt/venv
# Here is no system that says where to look for programs and certificates.
ENV PATH=/opt/venv/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

# The number, not the name: Kubernetes can tell from it that this is not root.
USER 10001

EXPOSE 8000
# In Python, because there is nothing else. While it starts, ask often; then now and then.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --start-interval=0.25s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
