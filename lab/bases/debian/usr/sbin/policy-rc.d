#!/bin/sh
# No service is started while packages are installed: an image build is no boot.
exit 101
