#!/bin/sh
# Make the certificates of a private stack in DIR, unless they are there: an authority, the
# server's (localhost, 127.0.0.1, ::1), and one for each client named.
#
#   certificates.sh DIR CLIENT…
#
# The first client's is also there as browser.p12, password "reason", for a browser.
#
# P-256 keys, mode 0600. The authority's key stays in DIR: this is for a stack that is
# thrown away, never for production.
set -eu
umask 077
dir=$1
shift
mkdir -p "$dir"
cd "$dir"

new_key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

# issue NAME COMMON_NAME EXTENSIONS
issue() {
    new_key "$1.key.new"
    printf '%s\n' "$3" >"$1.ext"
    openssl req -new -key "$1.key.new" -subj "/O=Reasoning Graph private stack/CN=$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -sha256 \
        -extfile "$1.ext" -out "$1.crt.new" 2>/dev/null
    mv "$1.key.new" "$1.key"
    mv "$1.crt.new" "$1.crt"
    rm -f "$1.csr" "$1.ext"
}

if [ ! -f ca.crt ]; then
    new_key ca.key
    openssl req -new -x509 -key ca.key -days 30 -sha256 -subj "/O=Reasoning Graph private stack/CN=private authority" \
        -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.crt.new
    mv ca.crt.new ca.crt
fi
[ -f server.crt ] || issue server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
extendedKeyUsage=serverAuth
keyUsage=critical,digitalSignature'
for client in "$@"; do
    [ -f "$client.crt" ] || issue "$client" "$client" "extendedKeyUsage=clientAuth
keyUsage=critical,digitalSignature
subjectAltName=URI:spiffe://reason.test/$client"
done
# Browsers take nothing without a password.
[ $# -eq 0 ] || [ -f browser.p12 ] || openssl pkcs12 -export -in "$1.crt" -inkey "$1.key" -certfile ca.crt -name "Reasoning Graph: $1" -passout pass:reason -out browser.p12
