FROM python:3.14-slim
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir -r /requirements.txt
RUN useradd --no-create-home --uid 10001 app
RUN mkdir /srv/one
RUN mkdir /srv/two
RUN mkdir /srv/three
RUN echo one > /srv/one/file
RUN echo two > /srv/two/file
RUN echo three > /srv/three/file
RUN chmod 600 /srv/one/file /srv/two/file /srv/three/file
