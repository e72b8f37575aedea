FROM python:3.14-slim AS builder
# Without pip: the one that is here already can install into another environment.
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt /requirements.txt
# --require-hashes refuses a package that is not the one that was locked. --no-deps: the
# list is complete.
RUN pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
    -r /requirements.txt

FROM python:3.14-slim
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app
# At the same place as there: scripts name their interpreter by its full path.
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

# The number, not the name: Kubernetes can tell from it that this is not root.
USER 10001

EXPOSE 8000
# In Python, because slim has no curl. While it starts, ask often; then now and then.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --start-interval=0.25s \
    CMD ["python", "-c", \
        "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
