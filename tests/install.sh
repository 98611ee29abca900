# The Debian packages that haul needs, and how to get those that are missing. Sourced by
# tests/run and jobs/demo.
# shellcheck shell=bash disable=SC2034

build_packages=(gcc cmake ninja-build pkg-config libcurl4-openssl-dev libssl-dev libsqlite3-dev
    libyaml-dev libxml2-dev libisal-dev)
test_packages=(clang g++ libclang-rt-14-dev valgrind libc6-dbg libcmocka-dev gcovr mandoc
    python3-pytest python3-boto3 python3-yaml python3-jsonschema radosgw ceph-mon ceph-osd
    ceph-common openssl curl sqlite3 iproute2)

# need_packages NAME...: asks apt for what is not there, or says what that is and fails.
need_packages() {
    local name missing=() as_root=()
    for name; do
        [[ $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) == "install ok installed" ]] ||
            missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    local install=(install -y --no-install-recommends "${missing[@]}")
    if ((EUID != 0)); then
        as_root=(sudo -n)
        "${as_root[@]}" true 2>/dev/null || {
            echo "packages are missing, and this is neither root nor sudo without a password;" \
                $'as root:\n  apt-get update; apt-get' "${install[*]}" >&2
            return 1
        }
    fi
    echo "installing: ${missing[*]}" >&2
    # A new machine has no lists yet, and its own first upgrade may hold the lock for a while.
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get -q -o DPkg::Lock::Timeout=600)
    "${apt[@]}" update </dev/null >&2 || : # some lists may do
    "${apt[@]}" "${install[@]}" </dev/null >&2 || {
        echo "apt could not install: ${missing[*]}" >&2
        return 1
    }
}
