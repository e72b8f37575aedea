FROM python:3.14-slim
# A number that is nobody else's, without a home and without a way to log in.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 app

# Exported from poetry.lock by the hook in .pre-commit-config.yaml, and committed.
COPY requirements.txt /requirements.txt
# --require-hashes refuses a package that is not the one that was locked. --no-deps: the list is complete.
# PYTHONDONTWRITEBYTECODE: pip compiles what it installs all the same, and leaves no bytecode of itself behind.
RUN PYTHONDONTWRITEBYTECODE=1 pip install --no-cache-dir --require-hashes --no-deps -r /requirements.txt
# The solution of the exercise: a list that is not the lock's is refused here too. What is mounted is in no layer. Below the
# installation, so that a lock in which only the tests' packages changed does not have it done anew.
RUN --mount=type=bind,source=poetry.lock,target=/poetry.lock \
    --mount=type=bind,source=check_requirements.py,target=/check_requirements.py \
    PYTHONDONTWRITEBYTECODE=1 python /check_requirements.py

WORKDIR /app
COPY gunicorn.conf.py ./
COPY src/whichimage whichimage

# The number, not the name: Kubernetes can tell from it that this is not root.
USER 10001

EXPOSE 8000
# In Python, because slim has no curl. While it starts, ask often; then now and then.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --start-interval=0.25s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["gunicorn", "whichimage:app"]
