#!/bin/sh
# Prepares, then serves.
echo preparing
gunicorn --bind=0.0.0.0:8000 --no-control-socket app:app
