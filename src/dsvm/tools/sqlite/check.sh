# Joins CSV with JSON in SQL, survives a killed writer, and compares rows and the file's integrity.
set -eu
samples=$DSVM_SAMPLES
found=$(sqlite3 -csv orders.db <<END
.import --csv $samples/orders.csv orders
CREATE TABLE customers AS
  SELECT value ->> 'name' AS name, value ->> '\$.city.name' AS city, json_array_length(value, '\$.tags') AS tags
  FROM json_each(readfile('$samples/customers.json'));
SELECT city, sum(total), max(tags), sum(sum(total)) OVER (ORDER BY city) FROM orders JOIN customers ON customer = name
  GROUP BY city ORDER BY city;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words VALUES ('the quick brown fox'), ('a lazy dog');
SELECT count(*) FROM words WHERE words MATCH 'quick AND fo*';
END
)
want=$(printf 'London,46.5,2,46.5\n"New York",108.0,0,154.5\n1')
[ "$found" = "$want" ] || { echo "SQL gives: $found" >&2; exit 1; }

# A writer that dies in the midst of a transaction leaves what was there before.
mkfifo statements
sqlite3 orders.db < statements > /dev/null & writer=$!
exec 3> statements
printf "BEGIN IMMEDIATE; UPDATE orders SET total = 0; SELECT 'written';\n.once written\nSELECT 1;\n" >&3
for wait in $(seq 100); do [ -s written ] && break; sleep 0.1; done
[ -s written ] || { echo "the writer did not write" >&2; exit 1; }
kill -9 "$writer"
wait "$writer" 2>/dev/null || :
exec 3>&-
left=$(sqlite3 orders.db 'SELECT sum(total) FROM orders; PRAGMA integrity_check')
[ "$left" = "$(printf '154.5\nok')" ] || { echo "after the kill the database says: $left" >&2; exit 1; }
printf '{"rows": 5, "versions": {"SQLite": "%s"}}\n' "$(sqlite3 --version | cut -d' ' -f1)"
