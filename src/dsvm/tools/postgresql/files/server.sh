# PostgreSQL on Debian's cluster `main`, at a port of its own: at 5432 waits what starts it. Written by dsvm.
set -eu
version=$(basename "$(ls -d /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1 | xargs dirname | xargs dirname)")
programs=/usr/lib/postgresql/$version/bin
data=/var/lib/postgresql/$version/main
port=15432
case $1 in
data)
    # An image holds no database: this machine makes its own, once.
    [ ! -e "$data" ] || exit 0
    rm -rf "$data.new"
    "$programs/initdb" --pgdata="$data.new" --auth-local=peer --auth-host=scram-sha-256 --no-instructions \
        --encoding=UTF8 --locale=C.UTF-8 > /dev/null
    mv "$data.new" "$data"
    ;;
serve)
    # Debian's programs read the port in the cluster's own configuration: there it stays 5432.
    own=/run/postgresql/dsvm.conf
    printf "include '/etc/postgresql/%s/main/postgresql.conf'\nport = %s\n" "$version" $port > $own
    exec "$programs/postgres" -D "$data" -c config_file=$own
    ;;
login)
    # The login's role is no superuser: that one could become the operating system's `postgres`.
    "$programs/psql" --host=/run/postgresql --port=$port --dbname=postgres --no-psqlrc --quiet \
        --set=ON_ERROR_STOP=1 --set=login=ds <<'END'
SELECT format('CREATE ROLE %I LOGIN CREATEDB CREATEROLE', :'login')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'login', :'login')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'login') \gexec
END
    ;;
esac
