# strace in one folder, with its own loader and libraries: it runs in an image without
# any.
FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends strace \
    && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /tracer/lib && install -d -m 1777 /tracer/out \
    && cp /usr/bin/strace /tracer \
    && ldd /usr/bin/strace > /needs && grep -oP '\s\K/\S+' /needs > /paths \
    && xargs -a /paths cp -L -t /tracer/lib \
    && mv /tracer/lib/ld-linux-* /tracer/loader
