FROM python:3.14-slim

RUN pip install poetry

WORKDIR /app
COPY . .
RUN poetry install

EXPOSE 8000

CMD ["poetry", "run", "gunicorn", "--bind=0.0.0.0:8000", "--access-logfile=-", \
    "whichimage:app"]
