FROM python:3.14-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/*
HEALTHCHECK CMD ["curl", "--fail", "--silent", "http://127.0.0.1:8000/health"]
