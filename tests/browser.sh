#!/usr/bin/env bash
# Chromium and its driver, for the test that opens the report (Debian; needs root).
set -euo pipefail

command -v chromium chromedriver >/dev/null && exit
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
  chromium chromium-driver fonts-dejavu-core >/dev/null
