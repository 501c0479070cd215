# Maps over processes by future, calls Python's functions, and answers over HTTP by plumber.
suppressPackageStartupMessages({ library(future); library(reticulate); library(jsonlite) })
options(warn = 1)
demand <- function(ok, what) if (!isTRUE(ok)) { message(what); quit(status = 1) }

plan(multisession, workers = 2)
prime <- function(n) n == 2 || all(n %% 2:ceiling(sqrt(n)) != 0)
asked <- lapply(c(1000, 2000, 3000, 4000), function(upto) future(list(sum(vapply(2:upto, prime, NA)), Sys.getpid())))
told <- value(asked)
demand(identical(vapply(told, function(one) one[[1]], 0L), c(168L, 303L, 430L, 550L)),
       paste("it counts", toString(vapply(told, function(one) one[[1]], 0L)), "primes"))
demand(!(Sys.getpid() %in% vapply(told, function(one) one[[2]], 0L)), "what was to be done elsewhere was done here")
plan(sequential)

use_python("/usr/bin/python3", required = TRUE)
statistics <- import("statistics")
demand(abs(statistics$stdev(mtcars$mpg) - sd(mtcars$mpg)) < 1e-12, "R and Python compute another deviation")
py_run_string("def twice(table): return {key: [2 * one for one in column] for key, column in table.items()}")
demand(identical(py$twice(list(a = c(1, 2)))$a, c(2, 4)), "a function of Python answers otherwise")

port <- httpuv::randomPort()
address <- sprintf("http://127.0.0.1:%d", port)
model <- file.path(Sys.getenv("DSVM_SAMPLES"), "model.R")
serve <- sprintf("plumber::pr_run(plumber::pr('%s'), host = '127.0.0.1', port = %d, docs = FALSE, quiet = TRUE)", model, port)
# A connection whose end is the server's end: pid comes back by its first line.
service <- pipe(sprintf("echo $$; exec Rscript --vanilla -e \"%s\" 2> served.log", serve), "r")
pid <- as.integer(readLines(service, 1))
ask <- function(path, body = NULL) {
  call <- curl::new_handle(noproxy = "*")
  if (!is.null(body)) curl::handle_setopt(call, postfields = toJSON(body), httpheader = "Content-Type: application/json")
  curl::curl_fetch_memory(paste0(address, path), call)
}
late <- Sys.time() + 60
repeat {
  up <- tryCatch(ask("/health")$status_code == 200, error = function(silent) FALSE)
  if (up) break
  if (Sys.time() > late) {
    tools::pskill(pid)
    message("plumber does not answer: ", paste(tail(readLines("served.log"), 5), collapse = " "))
    quit(status = 1)
  }
  Sys.sleep(0.2)
}
answer <- ask("/predict", data.frame(wt = c(2.5, 3.5)))
refused <- ask("/nothing")$status_code
tools::pskill(pid)
served <- fromJSON(rawToChar(answer$content))
known <- unname(predict(lm(mpg ~ wt, mtcars), data.frame(wt = c(2.5, 3.5))))
demand(answer$status_code == 200, paste("it answers", answer$status_code, rawToChar(answer$content)))
demand(isTRUE(all.equal(served, known)), paste("over HTTP the model says", toString(served), "and not", toString(known)))
demand(refused == 404, paste("what there is not is answered with", refused))
cat(sprintf('{"versions": {"future": "%s", "plumber": "%s", "reticulate": "%s"}}\n',
            packageVersion("future"), packageVersion("plumber"), packageVersion("reticulate")))
