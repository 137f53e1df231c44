# Two joined lines: place of the corner and its interval, by lm over the place and sandwich for the widening.
# Rscript corner.R > corner.txt
source("sample.R")
suppressMessages(library(sandwich))
for (shape in c("u", "skewed")) {
  data <- points(shape)
  rss <- function(k) deviance(lm(y ~ x + pmax(x - k, 0), data = data))
  ends <- quantile(data$x, c(0.05, 0.95))
  grid <- seq(ends[1], ends[2], length.out = 2001)
  values <- sapply(grid, rss)
  best <- grid[which.min(values)]
  coarse <- seq(ends[1], ends[2], length.out = 101)
  start <- coarse[which.min(sapply(coarse, rss))]
  step <- lm(y ~ I(x - start) + pmax(x - start, 0) + I(x > start), data = data)
  widening <- max(1, vcovHC(step, "HC3")[4, 4] / vcov(step)[4, 4])
  df <- nrow(data) - 4
  inside <- grid[values <= min(values) * (1 + qf(0.95, 1, df) / df * widening)]
  show(paste0(shape, ".corner"), best)
  show(paste0(shape, c(".low", ".high")), range(inside))
  show(paste0(shape, ".aic"), nrow(data) * log(min(values)) + 8)
  show(paste0(shape, ".step"), diff(grid[1:2]))
}
