#!/bin/sh
# Serves conf/nginx.conf in the foreground from a prefix of its own:
#
#     conf/serve.sh PREFIX [PORT]
#
# MODULE and FFMPEG name the built files; CALLREC_NGINX another nginx.  The
# prefix gets conf/, html, logs/, modules/, bin/ and recordings/; a key for
# tokens is made on the first start and kept.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
port=${2:-3000}
mkdir -p "$1"
prefix=$(cd "$1" && pwd)

: "${MODULE:?the path of ngx_callrec_module.so}"
: "${FFMPEG:?the path of callrec-ffmpeg}"

cd "$prefix"
mkdir -p conf logs modules bin recordings
ln -sfn "$here/html" html
ln -sfn "$MODULE" modules/ngx_callrec_module.so
ln -sfn "$FFMPEG" bin/callrec-ffmpeg
sed "s/\b3000\b/$port/g" "$here/nginx.conf" > conf/nginx.conf

if [ ! -s conf/jwt.key ]; then
    (umask 077 && openssl rand -hex 32 | tr -d '\n' > conf/jwt.key)
fi

# as root, the workers stay root: a checkout is often unreadable to others
globals='daemon off;'
[ "$(id -u)" = 0 ] && globals="$globals user root;"

echo "http://localhost:$port/ (recordings in $prefix/recordings)"
exec "${CALLREC_NGINX:-nginx}" -p "$prefix/" -c conf/nginx.conf -g "$globals"
