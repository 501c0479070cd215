# Compiles TypeScript, refuses a wrong type, and runs a program of threads and HTTP whose sum is known.
set -eu
version=$(node --version)
tsc_options="--strict --target es2022 --module nodenext --skipLibCheck --noEmitOnError --types node --typeRoots /opt/dsvm/apps/nodejs/node_modules/@types"

printf 'const n: number = "one";\nexport { n };\n' > wrong.mts
if tsc $tsc_options wrong.mts > told; then
  echo "the compiler accepts a text as a number" >&2
  exit 1
fi
grep -q "TS2322: Type 'string' is not assignable to type 'number'" told || { cat told >&2; exit 1; }

cp "$DSVM_SAMPLES/primes.ts" primes.mts
tsc $tsc_options primes.mts >&2
total=$(node primes.mjs)
# The sum of the 17,984 primes below 200,000.
[ "$total" = 1709600813 ] || { echo "the primes below 200,000 sum up to $total" >&2; exit 1; }
printf '{"total": %s, "versions": {"Node.js": "%s", "TypeScript": "%s"}}\n' \
  "$total" "${version#v}" "$(tsc --version | cut -d' ' -f2)"
