# Compiles a program of records, pattern matching and virtual threads, and compares what it prints.
set -eu
printf 'the fox and the hound\n' > one
printf 'a hound, the end\n' > two
javac -Xlint:all -Werror -d classes "$DSVM_SAMPLES/Words.java" >&2
jar --create --file words.jar --main-class Words -C classes .
said=$(java -Xmx128m -jar words.jar one two)
# 3.1416 + 4, and the first bytes of SHA-256 of `abc` as FIPS 180-2 has them.
want='[Count[word=the, times=3], Count[word=hound, times=2]] 7.1416 ba7816bf'
[ "$said" = "$want" ] || { echo "the program says: $said" >&2; exit 1; }
printf '{"versions": {"OpenJDK": "%s"}}\n' "$(javac -version 2>&1 | cut -d' ' -f2)"
