FROM python:3.14

WORKDIR /app

COPY . .
RUN pip install -r requirements.txt

EXPOSE 8000

CMD ["gunicorn", "--pythonpath", "src", "whichimage:app"]
