#!/bin/sh
# Prepares, then serves.
echo preparing
exec gunicorn --bind=0.0.0.0:8000 --no-control-socket app:app
