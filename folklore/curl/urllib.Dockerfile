FROM python:3.14-slim
COPY --chmod=644 app.py /
USER 10001
CMD ["python", "/app.py", \
    "python", "-c", "from urllib.request import urlopen; \
    urlopen('http://127.0.0.1:8000/health', timeout=2)"]
