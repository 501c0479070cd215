# Trains rpart and randomForest on spam-like mail and demands their accuracy; draws with ggplot2.
suppressPackageStartupMessages({
  library(rpart); library(randomForest); library(ggplot2); library(data.table); library(dplyr)
})
options(warn = 1)
demand <- function(ok, what) if (!isTRUE(ok)) { message(what); quit(status = 1) }

mail <- fread(file.path(Sys.getenv("DSVM_SAMPLES"), "mail.csv"), stringsAsFactors = TRUE)
demand(nrow(mail) == 1500, paste("mail.csv has", nrow(mail), "rows, 1500 are known"))
means <- mail |> as_tibble() |> group_by(type) |> summarise(m = mean(free)) |> arrange(type)
same <- mail[, .(m = mean(free)), keyby = type]
demand(all.equal(means$m, same$m), "dplyr and data.table differ")

set.seed(1)
seen <- sample(nrow(mail), 1000)
truth <- mail$type[-seen]
tree <- predict(rpart(type ~ ., mail[seen]), mail[-seen], type = "class")
forest_model <- randomForest(type ~ ., mail[seen], ntree = 200)
forest <- predict(forest_model, mail[-seen])
accuracy <- c(rpart = mean(tree == truth), randomForest = mean(forest == truth))
demand(accuracy["rpart"] > 0.85, sprintf("rpart: accuracy %.3f, more than 0.85 is demanded", accuracy["rpart"]))
demand(accuracy["randomForest"] > 0.92,
       sprintf("randomForest: accuracy %.3f, more than 0.92 is demanded", accuracy["randomForest"]))

fit <- lm(mpg ~ wt, mtcars)
demand(abs(coef(fit)["wt"] + 5.344472) < 1e-5, "lm: another slope than the known one of mtcars")

weight <- importance(forest_model)
figure <- ggplot(data.frame(word = rownames(weight), weight = weight[, 1]),
                 aes(reorder(word, weight), weight)) +
  geom_col(fill = "#33516e") + coord_flip() +
  labs(title = sprintf("Spam-like mail, unseen: %.3f right", accuracy["randomForest"]), x = NULL, y = "importance")
ggsave("importance.png", figure, width = 6, height = 4, dpi = 80)
demand(file.size("importance.png") > 5000, "the figure is empty")

cat(sprintf('{"device": "cpu", "rpart": %.4f, "randomForest": %.4f, "versions": {"R": "%s", "ggplot2": "%s"}}\n',
            accuracy["rpart"], accuracy["randomForest"], getRversion(), packageVersion("ggplot2")))
