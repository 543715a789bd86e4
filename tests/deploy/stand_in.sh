#!/bin/sh
# Make an image that stands in for docker.io/library/python:3.11-slim, where no registry can be reached: Debian 12 and
# its Python 3.11, without packages of its own. Those of the environment that runs the tests are laid in at /packages.
# As root: sh tests/deploy/stand_in.sh FOLDER [MIRROR]
set -eu
debootstrap --variant=minbase --include=python3-venv bookworm "$1/root" "${2:-http://deb.debian.org/debian}"
ln -sf /usr/bin/python3 "$1/root/usr/local/bin/python"
rm -rf "$1"/root/var/cache/apt/archives/*.deb
cat > "$1/Dockerfile" <<'END'
FROM scratch
COPY root /
ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin PYTHONPATH=/packages PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0
END
STORAGE_DRIVER=vfs buildah bud --isolation chroot -t docker.io/library/python:3.11-slim "$1"
