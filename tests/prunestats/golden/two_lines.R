# The two-lines test as published, written anew from the paper's description: mgcv, sandwich, lmtest.
# Rscript two_lines.R > two_lines.txt
source("sample.R")
suppressMessages({library(mgcv); library(sandwich); library(lmtest)})

lines_at <- function(data, parting, extra) {
  slope <- function(high) {
    data$below <- ifelse(high, 0, data$x - parting)
    data$above <- ifelse(high, data$x - parting, 0)
    data$jump <- as.numeric(high)
    fit <- glm(reformulate(c("below", "above", "jump", extra), "y"), data = data)
    coeftest(fit, vcov = vcovHC(fit, "HC3"))
  }
  rbind(slope(data$x > parting)["below", ], slope(data$x >= parting)["above", ])
}

two_lines <- function(name, data, extra = NULL) {
  smooth <- gam(reformulate(c(extra, "s(x, bs = 'cr', k = 10)"), "y"), data = data)
  at <- data
  if (!is.null(extra)) for (column in extra) at[[column]] <- mean(data[[column]])
  fitted <- predict(smooth, at, se.fit = TRUE)
  b <- coef(lm(reformulate(c("x", "I(x^2)", extra), "y"), data = data))
  sign <- if (b["x"] + 2 * b["I(x^2)"] * min(data$x) <= 0) 1 else -1
  inside <- data$x > quantile(data$x, 0.1) & data$x < quantile(data$x, 0.9)
  value <- sign * fitted$fit[inside]
  flat <- data$x[inside][value - fitted$se.fit[inside] < min(value)]
  first <- abs(lines_at(data, median(flat), extra)[, 3])
  parting <- quantile(flat, first[2] / sum(first))
  final <- lines_at(data, parting, extra)
  show(paste0(name, c(".flat_low", ".flat_high")), range(flat))
  show(paste0(name, ".parting"), parting)
  show(paste0(name, c(".slope_low", ".slope_high")), final[, 1])
  show(paste0(name, c(".z_low", ".z_high")), final[, 3])
  show(paste0(name, c(".p_low", ".p_high")), final[, 4])
}

for (shape in c("u", "falls", "skewed", "hill", "flat")) two_lines(shape, points(shape))
both <- points("u")
both$y <- both$y2
both$b <- as.numeric(both$original == "b")
two_lines("two_originals", both, "b")
