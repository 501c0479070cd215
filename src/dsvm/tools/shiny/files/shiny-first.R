# A first app: `dsvm open shiny` shows it from ~/shiny/app.R, which is yours to change.
library(shiny)

page <- fluidPage(
  titlePanel("A walk at random"),
  sliderInput("steps", "Steps", 10, 1000, 200),
  plotOutput("walk")
)

answer <- function(input, output) {
  output$walk <- renderPlot({
    set.seed(0)
    plot(cumsum(sample(c(-1, 1), input$steps, replace = TRUE)), type = "l", ylab = "place")
  })
}

shinyApp(page, answer)
