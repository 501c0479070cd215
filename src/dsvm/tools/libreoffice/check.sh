# Makes a PDF of a letter and reads its words back, also by way of Word; computes a spreadsheet.
set -eu
# A profile of the check's own: one that is open elsewhere would take the work and say nothing.
office() { soffice --headless -env:UserInstallation="file://$PWD/profile" --convert-to "$@" >> office.log 2>&1; }
fail() { echo "$1" >&2; tail -n 5 office.log >&2; exit 1; }
words() { pdftotext -layout "$1" - | tr -s ' \n\f' ' ' | sed 's/^ //; s/ $//'; }
want='Report on the harvest Grüße aus Köln: 4 crates of apples, 9 € each. Apples Four The second page.'

office docx "$DSVM_SAMPLES/letter.fodt" || fail "soffice ended with status $?"
[ -s letter.docx ] || fail "the letter was not written for Word"
office pdf letter.docx || fail "soffice ended with status $?"
[ -s letter.pdf ] || fail "no PDF was made"
said=$(words letter.pdf)
[ "$said" = "$want" ] || fail "the PDF says: $said"
pages=$(pdfinfo letter.pdf | sed -n 's/^Pages: *//p')
[ "$pages" = 2 ] || fail "the letter has $pages pages, not 2"
pdftoppm -r 40 -png -f 1 -l 1 -singlefile letter.pdf letter

office xlsx "$DSVM_SAMPLES/prices.fods" || fail "soffice ended with status $?"
[ -s prices.xlsx ] || fail "the prices were not written for Excel"
office csv prices.xlsx || fail "soffice ended with status $?"
# 4 + 7 + 10, three times their variance, 4 * 18 - 7 * 21, the pears, a loan's rate, days of a February.
computed=$(cut -d, -f3,4 prices.csv | tr '\n' ' ')
[ "$computed" = '21,7 18,88.8488 -75,29 ' ] || fail "the spreadsheet computes $computed"
printf '{"pages": %s, "versions": {"LibreOffice": "%s"}}\n' "$pages" \
  "$(dpkg-query -W -f '${Version}' libreoffice-core-nogui)"
