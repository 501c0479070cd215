# Compiles a program of case classes, pattern matching and futures, and compares what it prints.
set -eu
printf 'the fox and the hound\n' > one
printf 'a hound, the end\n' > two
mkdir classes
scalac -Xfatal-warnings -d classes "$DSVM_SAMPLES/Words.scala" >&2
said=$(scala -J-Xmx128m -cp classes Words one two)
want='List(Count(the,3), Count(hound,2)) 7.1416 ba7816bf'
[ "$said" = "$want" ] || { echo "the program says: $said" >&2; exit 1; }
printf '{"versions": {"Scala": "%s"}}\n' "$(scalac -version 2>&1 | sed 's/.*version \([0-9.]*\).*/\1/')"
