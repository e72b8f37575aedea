FROM python:3.14-slim
COPY --chmod=644 app.py /
USER 10001
CMD ["python", "/app.py", \
  "python", "-Ic", "from _socket import socket; s = socket(); s.settimeout(2); \
  s.connect_ex(('127.0.0.1', 8000)) and exit('no connection'); \
  s.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); a = s.recv(12); b'200' in a or exit(a)"]
