FROM python:3.14-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=644 app.py /
USER 10001
CMD ["python", "/app.py", \
    "curl", "--fail", "--silent", "http://127.0.0.1:8000/health"]
