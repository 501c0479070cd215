# Typesets formulas, a table, a drawing and references, and compares the text of the PDF.
set -eu
for run in 1 2; do
  pdflatex -interaction=nonstopmode -halt-on-error "$DSVM_SAMPLES/paper.tex" > told || { grep -m1 -A3 '^!' told >&2 || tail -n 4 told >&2; exit 1; }
done
grep -q 'There were undefined references' told && { echo "a reference was not resolved" >&2; exit 1; }
pdftotext -layout paper.pdf text
for line in 'Section 1 has equation (1); table 1 follows on page 2, and \[1\] proved it' 'fifth *11' 'Table 1: Primes' '1 *Formula *1'; do
  tr '\n' ' ' < text | tr -s ' ' | grep -q "$line" || { echo "the PDF does not say \`$line\`" >&2; exit 1; }
done
pages=$(pdfinfo paper.pdf | sed -n 's/^Pages: *//p')
[ "$pages" = 2 ] || { echo "the PDF has $pages pages, 2 are known" >&2; exit 1; }
pdffonts paper.pdf | grep -q LMRoman || { echo "Latin Modern is not in the PDF" >&2; exit 1; }
pdftoppm -png -singlefile -r 60 paper.pdf paper
printf '{"pages": %s, "versions": {"pdfTeX": "%s"}}\n' "$pages" "$(pdflatex --version | sed -n '1s/pdfTeX //p')"
