# The small official image: Debian without documentation, Python without compilers. Nothing else changes below.
FROM python:3.14-slim

WORKDIR /app

# The requirements go in alone and first. A change in the code leaves this layer and the next as they are, so a rebuild
# takes them from the cache.
COPY requirements.txt .
# pip keeps what it downloads, for next time. In an image there is no next time.
RUN pip install --no-cache-dir -r requirements.txt

# What .dockerignore names stays out.
COPY . .

# Documentation only: `docker run -p` or compose.yaml opens the port.
EXPOSE 8000

# A list, not a string: gunicorn itself then gets the signal to stop, not a shell around it.
# 0.0.0.0, because 127.0.0.1 inside the container cannot be reached from outside.
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--access-logfile", "-", "app:app"]
