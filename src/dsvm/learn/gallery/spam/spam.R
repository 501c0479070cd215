# What R does of the walkthrough; called with one word.
suppressPackageStartupMessages({ library(rpart); library(randomForest); library(ggplot2) })
word <- commandArgs(trailingOnly = TRUE)[1]
small <- spam ~ char_freq_dollar + word_freq_remove + word_freq_hp

# UCI's names; kernlab's package, which Debian carries, has the same rows with names of its own.
uci <- function() {
  data(spam, package = "kernlab")
  names(spam)[1:48] <- paste0("word_freq_", sub("^num", "", names(spam)[1:48]))
  names(spam)[49:58] <- c(
    paste0("char_freq_", c("semicolon", "leftParen", "leftBracket", "exclamation", "dollar", "pound")),
    paste0("capital_run_length_", c("average", "longest", "total")), "spam")
  spam$spam <- as.integer(spam$spam == "spam")
  spam
}

mails <- function() {
  mails <- read.csv("spam.csv")
  mails$spam <- factor(mails$spam, labels = c("mail", "spam"))
  mails
}

split_of <- function(seed) {
  set.seed(seed)
  sample(nrow(mails()), round(0.7 * nrow(mails())))
}

if (word == "export") {
  write.csv(uci(), "spam.csv", row.names = FALSE)
} else if (word == "explore") {
  found <- mails()
  seen <- c("char_freq_dollar", "char_freq_exclamation", "word_freq_remove", "capital_run_length_longest")
  long <- tidyr::pivot_longer(found[c(seen, "spam")], -spam)
  long <- subset(long, value > 0)
  plain <- list(facet_wrap(~name, nrow = 1, scales = "free"), theme_minimal(base_size = 11),
    labs(x = "log10 of it, in the mails that have it", colour = NULL, fill = NULL))
  histograms <- ggplot(long, aes(log10(value), fill = spam)) + plain +
    geom_histogram(bins = 30, position = "identity", alpha = 0.6)
  densities <- ggplot(long, aes(log10(value), colour = spam)) + plain + geom_density()
  ggsave("1-histograms.png", histograms, width = 10, height = 3, dpi = 90)
  ggsave("2-densities.png", densities, width = 10, height = 3, dpi = 90)
  print(summary(found[c(seen[c(1, 3, 4)], "spam")]))
} else if (word == "models") {
  all <- mails()
  for (seed in 1:5) {
    train <- split_of(seed)
    right <- function(model) mean(predict(model, all[-train, ], type = "class") == all$spam[-train])
    tree <- rpart(spam ~ ., all[train, ])
    forest <- randomForest(spam ~ ., all[train, ], ntree = 200)
    cat(sprintf("%d,%.4f,%.4f,%.4f\n", seed, right(tree), right(forest), right(rpart(small, all[train, ]))))
  }
  saveRDS(rpart(small, all[split_of(1), ]), "small.rds")
  png("3-tree.png", width = 900, height = 460, res = 90)
  par(mar = rep(1, 4), xpd = TRUE)
  whole <- rpart(spam ~ ., all[split_of(1), ])
  plot(whole, margin = 0.06, uniform = TRUE)
  text(whole, use.n = TRUE, cex = 0.7, pretty = 0)
  invisible(dev.off())
} else if (word == "xgboost") {
  all <- mails()
  if (requireNamespace("xgboost", quietly = TRUE)) {
    for (seed in 1:5) {
      train <- split_of(seed)
      of <- function(rows) xgboost::xgb.DMatrix(as.matrix(all[rows, -58]), label = as.integer(all$spam[rows]) - 1)
      model <- xgboost::xgb.train(list(objective = "binary:logistic", max_depth = 6, eta = 1), of(train), nrounds = 2)
      cat(sprintf("%.4f\n", mean((predict(model, of(-train)) > 0.5) == (all$spam[-train] == "spam"))))
    }
  }
} else if (word == "serve") {
  library(plumber)
  model <- readRDS("small.rds")
  api <- pr_post(pr(), "/predict", function(req) {
    as.character(predict(model, jsonlite::fromJSON(req$postBody), type = "class"))
  })
  pr_run(api, host = "127.0.0.1", port = as.integer(commandArgs(trailingOnly = TRUE)[2]), docs = FALSE, quiet = TRUE)
} else if (word == "predict") {
  write.csv(predict(readRDS("small.rds"), read.csv("asked.csv"), type = "class"), row.names = FALSE)
}
