# Fits a model on a matrix that lies in a file, block by block in other processes, as lm does in memory.
suppressPackageStartupMessages({ library(bigmemory); library(doParallel) })
options(warn = 1)
demand <- function(ok, what) if (!isTRUE(ok)) { message(what); quit(status = 1) }

rows <- 200000; columns <- 6
table <- filebacked.big.matrix(rows, columns, backingfile = "table.bin", descriptorfile = "table.desc",
                               dimnames = list(NULL, c("y", paste0("x", 1:5))))
set.seed(1)
truth <- c(2, -1, 0.5, 0, 3, -2)
for (block in split(seq_len(rows), ceiling(seq_len(rows) / 50000))) {
  x <- matrix(rnorm(length(block) * 5), ncol = 5)
  table[block, ] <- cbind(cbind(1, x) %*% truth + rnorm(length(block)), x)
}
flush(table)
demand(file.size("table.bin") == rows * columns * 8, paste("its file has", file.size("table.bin"), "bytes"))

workers <- makeCluster(2)
registerDoParallel(workers)
place <- normalizePath("table.desc")
start <- proc.time()[["elapsed"]]
parts <- foreach(block = 1:8, .packages = "bigmemory") %dopar% {
  there <- attach.big.matrix(place, readonly = TRUE)
  own <- there[((block - 1) * 25000 + 1):(block * 25000), ]
  x <- cbind(1, own[, -1])
  list(xx = crossprod(x), xy = crossprod(x, own[, 1]), process = Sys.getpid(), dims = dim(there))
}
took <- proc.time()[["elapsed"]] - start
stopCluster(workers)
processes <- unique(vapply(parts, function(part) part$process, 0L))
demand(length(processes) == 2 && !(Sys.getpid() %in% processes),
       paste("two other processes were asked for, it was done by", toString(processes)))
demand(identical(parts[[1]]$dims, c(rows, columns)), "another process sees a matrix of another size")
fitted <- drop(solve(Reduce(`+`, lapply(parts, `[[`, "xx")), Reduce(`+`, lapply(parts, `[[`, "xy"))))
whole <- lm(y ~ ., as.data.frame(table[, ]))
demand(max(abs(fitted - coef(whole))) < 1e-8, sprintf("block by block the model differs from lm's by %.2g", max(abs(fitted - coef(whole)))))
demand(max(abs(fitted - truth)) < 0.02, paste("the model is", toString(round(fitted, 3)), "and not", toString(truth)))
cat(sprintf('{"rows": %d, "fit_s": %.2f, "versions": {"bigmemory": "%s", "doParallel": "%s"}}\n',
            rows, took, packageVersion("bigmemory"), packageVersion("doParallel")))
