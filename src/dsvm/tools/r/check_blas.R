# R must compute with OpenBLAS, on as many threads as the machine has CPUs (up to what is measured here).
blas <- extSoftVersion()["BLAS"]
if (!grepl("openblas", blas, ignore.case = TRUE)) {
  message("R computes with ", blas, ", not with OpenBLAS")
  quit(status = 1)
}
set.seed(1)
n <- 1500
a <- matrix(rnorm(n * n), n)
invisible(a %*% a)
time <- system.time(for (i in 1:4) b <- a %*% a)
if (abs(b[3, 5] - sum(a[3, ] * a[, 5])) > 1e-8) {
  message("OpenBLAS multiplies wrongly")
  quit(status = 1)
}
cpus <- length(parallel::mcaffinity())
used <- (time[["user.self"]] + time[["sys.self"]]) / time[["elapsed"]]
# Threads exist whether or not the host gives them time just now: count them, and report their use.
threads <- length(list.files("/proc/self/task"))
if (cpus > 1 && threads < 2) {
  message(sprintf("OpenBLAS uses %d thread on %d CPUs", threads, cpus))
  quit(status = 1)
}
cat(sprintf('{"device": "cpu", "blas_threads": %d, "cpus_used": %.2f, "gflops": %.1f, "versions": {"BLAS": "%s"}}\n',
            threads, used, 8 * n^3 / time[["elapsed"]] * 1e-9, basename(normalizePath(blas))))
