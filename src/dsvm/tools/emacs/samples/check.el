;; Recalculates a table of Org, exports it, sorts lines and byte-compiles a function.  -*- lexical-binding: t -*-
(require 'org)
(require 'ox-html)
(setq make-backup-files nil org-export-with-toc nil org-export-time-stamp-file nil)

(find-file "budget.org")
(goto-char (point-min))
(search-forward "| rent")
(org-table-recalculate 'all)
(save-buffer)
(org-html-export-to-html)

(find-file "words")
(sort-lines nil (point-min) (point-max))
(upcase-initials-region (point-min) (point-max))
(save-buffer)

(byte-compile-file "twice.el")
(load (expand-file-name "twice.elc"))
(princ (twice 21))
