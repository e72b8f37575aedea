FROM python:3.14-slim
COPY requirements.txt /requirements.txt
# hadolint ignore=DL3042
RUN pip install -r /requirements.txt
