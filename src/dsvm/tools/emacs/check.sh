# Recalculates and exports a table, sorts a file, compiles Lisp, and compares each result.
set -eu
printf '# Budget\n| item | cost |\n|------+------|\n| rent | 700 |\n| food | 350 |\n|------+------|\n| sum |  |\n#+TBLFM: @>$2=vsum(@I..@II)\n' > budget.org
printf 'pear\napple\nfig\n' > words
printf ';;; twice.el  -*- lexical-binding: t -*-\n(defun twice (n) "Double N." (* 2 n))\n' > twice.el
said=$(emacs --batch --quick --load "$DSVM_SAMPLES/check.el" 2> told) || { tail -n 5 told >&2; exit 1; }
[ "$said" = 42 ] || { echo "the compiled function says: $said" >&2; exit 1; }
grep -q '| sum  | 1050 |' budget.org || { echo "the table reads: $(cat budget.org)" >&2; exit 1; }
grep -q '<td class="org-right">1050</td>' budget.html || { echo "the page has no cell 1050" >&2; exit 1; }
[ "$(tr '\n' ' ' < words)" = 'Apple Fig Pear ' ] || { echo "the file reads: $(cat words)" >&2; exit 1; }
printf '{"versions": {"Emacs": "%s"}}\n' "$(emacs --version | sed -n '1s/GNU Emacs //p')"
