FROM python:3.14-slim
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir -r /requirements.txt \
    && useradd --no-create-home --uid 10001 app \
    && mkdir /srv/one \
    && mkdir /srv/two \
    && mkdir /srv/three \
    && echo one > /srv/one/file \
    && echo two > /srv/two/file \
    && echo three > /srv/three/file \
    && chmod 600 /srv/one/file /srv/two/file /srv/three/file
