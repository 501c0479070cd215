# A model as a service: plumber reads what it answers to from these comments.
model <- lm(mpg ~ wt, mtcars)

#* @get /health
function() "well"

#* @post /predict
#* @serializer json list(digits = 12)
function(req) unname(predict(model, jsonlite::fromJSON(req$postBody)))
