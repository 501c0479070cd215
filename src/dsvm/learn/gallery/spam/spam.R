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
  plain <- theme_minimal(base_size = 11)
  histogram <- ggplot(subset(found, char_freq_dollar > 0), aes(log10(char_freq_dollar), fill = spam)) +
    geom_histogram(bins = 40, position = "identity", alpha = 0.6) + plain +
    labs(title = "Mails with dollar signs", x = "log10 of their share in percent", y = "mails")
  density <- ggplot(found, aes(log10(capital_run_length_longest), colour = spam)) +
    geom_density() + plain + labs(title = "The longest run of capital letters", x = "log10 of its length")
  ggsave("1-dollars.png", histogram, width = 7, height = 3, dpi = 90)
  ggsave("2-capitals.png", density, width = 7, height = 3, dpi = 90)
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
