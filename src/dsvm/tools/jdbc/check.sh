# Loads the same rows into PostgreSQL and SQLite from a Java program, and compares what it reads back.
set -eu
planets=$(python3 -c 'import dsvm_rows; print(dsvm_rows.PLANETS)')
jars=/usr/share/java/postgresql.jar:/usr/share/java/sqlite-jdbc.jar
known=$(tail -n +2 "$planets" | sort -t, -k3 -n)
javac -Xlint:all -Werror -d classes "$DSVM_SAMPLES/Rows.java" >&2
rows() { java -Xmx128m -cp "classes:$jars" Rows "$1" "$planets"; }

# By TCP nobody is known without a password: a role of this check's own has one.
export ROLE=check_$$ PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
psql -Xqv ON_ERROR_STOP=1 <<END
CREATE ROLE $ROLE LOGIN PASSWORD '$PASSWORD';
END
trap 'psql -Xqc "DROP ROLE $ROLE"' EXIT
for url in jdbc:postgresql://127.0.0.1/ds "jdbc:sqlite:$PWD/planets.db"; do
    found=$(rows "$url")
    [ "$found" = "$known" ] || { echo "by $url the rows are: $found" >&2; exit 1; }
done
if said=$(PASSWORD=wrong rows jdbc:postgresql://127.0.0.1/ds 2>&1); then
    echo "a wrong password is let in" >&2
    exit 1
fi
case $said in
*"password authentication failed"*) ;;
*) echo "a wrong password is answered by: $said" >&2; exit 1 ;;
esac
printf '{"rows": 8, "versions": {"PostgreSQL JDBC": "%s"}}\n' "$(dpkg-query -W -f '${Version}' libpostgresql-jdbc-java)"
