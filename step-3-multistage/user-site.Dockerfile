FROM python:3.14-slim AS builder
COPY requirements.txt /requirements.txt
ARG SOURCE_DATE_EPOCH
# Into the user's own folder, as guides did before they took virtual environments.
RUN pip install --user --no-cache-dir --require-hashes --no-deps -r /requirements.txt

FROM python:3.14-slim
# It works for this user alone, and this user is root.
COPY --from=builder /root/.local /root/.local
ENV PATH=/root/.local/bin:$PATH PYTHONUNBUFFERED=1

WORKDIR /app
COPY --chmod=644 gunicorn.conf.py ./
COPY --chmod=755 src/whichimage whichimage

EXPOSE 8000
CMD ["gunicorn", "whichimage:app"]
