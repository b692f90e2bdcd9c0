# packages.sh: installs the Debian packages that are missing. Sourced by tests/run.sh, examples/quickstart.sh and .ci/run.

packages_build="build-essential cmake ninja-build pkg-config libcurl4-openssl-dev libjansson-dev liblua5.4-dev libyaml-dev libssh2-1-dev
    libssh-dev libuv1-dev libsqlite3-dev zlib1g-dev libsodium-dev libmicrohttpd-dev libxml2-dev libgraphviz-dev libssl-dev libical-dev tzdata
    libsnmp-dev nettle-dev"
packages_lab="openssh-server openssh-client"
packages_test="strace clang libclang-rt-14-dev libcriterion-dev json-schema-test-suite kea-dhcp4-server kea-dhcp6-server kea-ctrl-agent openssh-server openssh-client
    python3 python3-aiosmtpd python3-websockets python3-yaml python3-jsonschema openssl jq curl libxml2-utils procps iproute2 iputils-ping
    freeradius freeradius-utils eapoltest netconfd frr rsyslog rsyslog-gnutls snmpd snmp snmptrapd prometheus-alertmanager dnsmasq-base iperf3
    request-tracker5 rt5-db-sqlite rt5-standalone"
packages_bench="ansible-core"

preseed_rt() {
    cat <<'ANSWERS'
request-tracker5 request-tracker5/dbconfig-install boolean true
request-tracker5 request-tracker5/database-type select sqlite3
request-tracker5 request-tracker5/initial-root-password password unused-by-tests
request-tracker5 request-tracker5/initial-root-password-confirm password unused-by-tests
ANSWERS
}

install_packages() {
    local missing="" name sudo=""
    for set in "$@"; do
        local list="packages_$set"
        for name in ${!list}; do
            [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing="$missing $name"
        done
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "These packages are missing:$missing. Install them, or run this as root or with sudo." >&2; exit 1; }
        sudo=sudo
    fi
    echo "installing:$missing"
    # Servers among them are only used by tests that start them on their own: Debian must not start them as services.
    local policy=/usr/sbin/policy-rc.d made=""
    if [ ! -e "$policy" ] && [ ! -d /run/systemd/system ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod 755 "$policy" && made=1
    fi
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq || { echo "apt-get update failed: is there a way to Debian's packages?" >&2; exit 1; }
    # Request Tracker asks at its installation for a database; its tests make a private one instead of using that.
    case "$missing" in *request-tracker5*) preseed_rt | $sudo debconf-set-selections ;; esac
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        { echo "apt-get could not install:$missing" >&2; exit 1; }
    [ -z "$made" ] || $sudo rm -f "$policy"
}
