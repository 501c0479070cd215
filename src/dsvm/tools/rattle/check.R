# A tree learns from Rattle's weather whether it rains tomorrow; Rattle tells its rules and draws it.
.libPaths(c("/opt/dsvm/apps/rattle/library", .libPaths()))
suppressPackageStartupMessages({ library(rattle); library(rpart) })
options(warn = 1)
demand <- function(ok, what) if (!isTRUE(ok)) { message(what); quit(status = 1) }

demand(nrow(weather) == 366, paste("its weather has", nrow(weather), "days, 366 are known"))
known <- as.data.frame(weather)[, c("Sunshine", "Humidity3pm", "Pressure3pm", "WindGustSpeed", "Cloud3pm", "RainTomorrow")]
known <- known[complete.cases(known), ]
tree <- rpart(RainTomorrow ~ ., known, method = "class")
accuracy <- mean(predict(tree, type = "class") == known$RainTomorrow)
demand(accuracy > mean(known$RainTomorrow == "No"), sprintf("the tree is right on %.3f of the days, no better than to say No", accuracy))
rules <- capture.output(asRules(tree))
leaves <- sum(tree$frame$var == "<leaf>")
demand(sum(grepl("^ *Rule number", rules)) == leaves, paste("it tells", sum(grepl("^ *Rule number", rules)), "rules of", leaves, "leaves"))
png("tree.png", 640, 480)
fancyRpartPlot(tree, sub = "")
invisible(dev.off())
demand(file.size("tree.png") > 5000, "the drawing is empty")
cat(sprintf('{"accuracy": %.4f, "rules": %d, "versions": {"rattle": "%s"}}\n', accuracy, leaves, packageVersion("rattle")))
