library(shiny)

page <- fluidPage(
  titlePanel("Sums"),
  numericInput("n", "Up to", 10),
  textOutput("total"),
  plotOutput("figure", width = "300px", height = "200px")
)

answer <- function(input, output) {
  output$total <- renderText(paste("The sum is", sum(seq_len(input$n))))
  output$figure <- renderPlot(plot(cumsum(seq_len(input$n)), type = "b", ylab = "sum"))
}

shinyApp(page, answer)
