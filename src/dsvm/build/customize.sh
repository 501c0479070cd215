#!/bin/sh
# Turns a tree of configured packages into dsvm's operating system; run by mmdebstrap as its last
# customize hook, as the root of the tree ($1), with nothing of the builder's environment.
#   $2  file: the locked packages, `name version` a line, sorted
#   $3  file: what was asked for by name; everything else may be removed by `apt autoremove`
#   $4  components of the base's archives, `main`
set -eu
cd "$1"
locked=$2 roots=$3 components=$4

in_tree() {
    chroot "$PWD" "$@"
}

# What the package manager used while building.
rm -f etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -rf etc/apt/sources.list etc/apt/sources.list.d
mkdir etc/apt/sources.list.d

# Nothing but the lock, and all of it.
dpkg-query --admindir=var/lib/dpkg --show \
    --showformat='${Package} ${Version} ${db:Status-Status}\n' | LC_ALL=C sort > run/installed
sed 's/$/ installed/' "$locked" | diff -u - run/installed >&2 || {
    echo "what is installed (+) differs from the lock (-)" >&2
    exit 1
}
rm run/installed
in_tree apt-mark showmanual | xargs chroot "$PWD" apt-mark auto > /dev/null
xargs chroot "$PWD" apt-mark manual < "$roots" > /dev/null

# The archive's own addresses as its maker ships them with apt; a machine that inherits the
# host's sources gets those instead, at start.
examples=usr/share/doc/apt/examples
if [ -e $examples/debian.sources ]; then
    sed -e '/^#/d' -e "s/^Components:.*/Components: $components/" \
        $examples/debian.sources > etc/apt/sources.list.d/debian.sources
else
    sed -e '/^#/d' -e '/^$/d' -e "s/\( main\) .*/ $components/" \
        $examples/sources.list > etc/apt/sources.list
fi

# The login, reached by key only.
in_tree useradd --create-home --uid 1000 --user-group --groups sudo --shell /bin/bash \
    --comment "dsvm" ds
printf 'ds ALL=(ALL:ALL) NOPASSWD: ALL\n' > etc/sudoers.d/ds
chmod 0440 etc/sudoers.d/ds
cat > etc/ssh/sshd_config.d/10-dsvm.conf << 'END'
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
END
printf 'LANG=C.UTF-8\n' > etc/default/locale

# What belongs to one machine, or to the machine that builds. Packages make some of it when they are
# installed: a certificate of the builder's name (ssl-cert), an empty database (postgresql), a key (xrdp).
rm -f etc/ssh/ssh_host_* etc/xrdp/rsakeys.ini etc/ssl/private/ssl-cert-snakeoil.key etc/ssl/certs/ssl-cert-snakeoil.pem
[ ! -d etc/ssl/certs ] || find etc/ssl/certs -lname ssl-cert-snakeoil.pem -delete
rm -rf var/lib/postgresql/*/main
for start in etc/postgresql/*/main/start.conf; do
    [ ! -e "$start" ] || sed -i 's/^auto$/manual/' "$start"
done
: > etc/machine-id
rm -f var/lib/dbus/machine-id etc/resolv.conf
printf 'dsvm\n' > etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 dsvm\n::1 localhost ip6-localhost ip6-loopback\n' > etc/hosts
