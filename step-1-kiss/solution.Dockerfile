# The solution of the exercise: slim.Dockerfile, and pip leaves no bytecode of itself behind.
FROM python:3.14-slim

WORKDIR /app

# The requirements go in alone and first. A change in the code leaves this layer and the next as they are, so a rebuild
# takes them from the cache.
COPY requirements.txt .
# pip keeps what it downloads, for next time. In an image there is no next time. And Python keeps bytecode of all that it
# imports: of pip itself here, and of the part of the standard library that pip uses.
RUN PYTHONDONTWRITEBYTECODE=1 pip install --no-cache-dir -r requirements.txt

# What .dockerignore names stays out.
COPY . .

# Documentation only: `docker run -p` or compose.yaml opens the port.
EXPOSE 8000

# A list, not a string: gunicorn itself then gets the signal to stop, not a shell around it.
# 0.0.0.0, because 127.0.0.1 inside the container cannot be reached from outside.
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--access-logfile", "-", "app:app"]
