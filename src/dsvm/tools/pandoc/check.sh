# Converts a document to Word, EPUB and back; the document must be what it was, its page what is known.
set -eu
notes=$DSVM_SAMPLES/notes.md
pandoc "$notes" --to native --output before
for kind in docx odt epub; do
  pandoc "$notes" --output "notes.$kind"
done
pandoc notes.docx --to plain --wrap none --output docx.txt
pandoc notes.odt --to plain --wrap none --output odt.txt
pandoc notes.epub --to plain --wrap none --output epub.txt
for file in docx.txt odt.txt epub.txt; do
  for words in 'Seen on Monday, near the pond:' 'Perhaps three.' 'heron'; do
    tr -d '*_' < "$file" | grep -qiF "$words" || { echo "$file does not say \`$words\`: $(head -n 5 "$file")" >&2; exit 1; }
  done
done
pandoc "$notes" --to json | pandoc --from json --to native --output after
cmp before after || { echo "through JSON the document is another one" >&2; exit 1; }
pandoc "$notes" --standalone --mathml --output notes.html
for part in '<title>Field notes</title>' '<strong>Monday</strong>' '<td style="text-align: right;">2</td>' '<msup><mi>c</mi><mn>2</mn></msup>'; do
  grep -qF "$part" notes.html || { echo "the page lacks $part" >&2; exit 1; }
done
printf '{"versions": {"pandoc": "%s"}}\n' "$(pandoc --version | sed -n '1s/pandoc //p')"
