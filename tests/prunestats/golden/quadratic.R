# Quadratic with HC3, Fieller's set, Lind and Mehlum's test, lack of fit: lm, sandwich, lmtest.  Rscript quadratic.R > quadratic.txt
source("sample.R")
suppressMessages({library(sandwich); library(lmtest)})

report <- function(name, data, formula, richer) {
  data$u <- data$x - mean(data$x)
  fit <- lm(formula, data = data)
  v <- vcovHC(fit, "HC3")
  b <- coef(fit)
  df <- fit$df.residual
  show(paste0(name, ".b", 1:2), b[c("u", "I(u^2)")])
  show(paste0(name, ".v", c("11", "12", "22")), c(v["u", "u"], v["u", "I(u^2)"], v["I(u^2)", "I(u^2)"]))
  show(paste0(name, ".curvature_p"), coeftest(fit, vcov = v)["I(u^2)", 4])
  # Fieller: where the t test of a zero slope is at its critical value, found by root search from the vertex outwards
  slope_t2 <- function(at) {
    g <- c(1, 2 * at)
    (sum(g * b[c("u", "I(u^2)")]))^2 / as.numeric(t(g) %*% v[c("u", "I(u^2)"), c("u", "I(u^2)")] %*% g) - qt(0.975, df)^2
  }
  vertex <- -b["u"] / (2 * b["I(u^2)"])
  far <- 50
  bounded <- slope_t2(vertex - 1e6) > 0 && slope_t2(vertex + 1e6) > 0
  show(paste0(name, ".bounded"), bounded)
  if (bounded) {
    show(paste0(name, ".fieller_low"), mean(data$x) + uniroot(slope_t2, c(vertex - far, vertex), tol = 1e-13)$root)
    show(paste0(name, ".fieller_high"), mean(data$x) + uniroot(slope_t2, c(vertex, vertex + far), tol = 1e-13)$root)
  }
  for (end in c("low", "high")) {
    at <- if (end == "low") min(data$u) else max(data$u)
    g <- c(1, 2 * at)
    t <- sum(g * b[c("u", "I(u^2)")]) / sqrt(as.numeric(t(g) %*% v[c("u", "I(u^2)"), c("u", "I(u^2)")] %*% g))
    show(paste0(name, ".lm_t_", end), t)
    show(paste0(name, ".lm_p_", end), if (end == "low") pt(t, df) else pt(t, df, lower.tail = FALSE))
  }
  # the cubic: where its slope is not told from zero around its minimum, by root search
  cubic <- lm(update(formula, . ~ . + I(u^3)), data = data)
  w <- vcovHC(cubic, "HC3")
  terms <- c("u", "I(u^2)", "I(u^3)")
  c3 <- coef(cubic)[terms]
  grid <- seq(min(data$u), max(data$u), length.out = 1e5)
  best <- grid[which.min(c3[1] * grid + c3[2] * grid^2 + c3[3] * grid^3)]
  excess <- Vectorize(function(at) {
    g <- c(1, 2 * at, 3 * at^2)
    sum(g * c3)^2 - qt(0.975, cubic$df.residual)^2 * as.numeric(t(g) %*% w[terms, terms] %*% g)
  })
  show(paste0(name, ".cubic_best"), mean(data$x) + best)
  inside <- excess(grid) <= 0
  at <- which.min(abs(grid - best))
  low <- at
  while (low > 1 && inside[low - 1]) low <- low - 1
  high <- at
  while (high < length(grid) && inside[high + 1]) high <- high + 1
  show(paste0(name, ".cubic_low"), mean(data$x) + grid[low])
  show(paste0(name, ".cubic_high"), mean(data$x) + grid[high])
  test <- waldtest(fit, lm(richer, data = data), vcov = function(m) vcovHC(m, "HC3"))
  show(paste0(name, ".lack_f"), test$F[2])
  show(paste0(name, ".lack_p"), test$`Pr(>F)`[2])
  show(paste0(name, ".r2"), summary(fit)$adj.r.squared)
}

for (shape in c("u", "falls", "skewed", "flat")) {
  report(shape, points(shape), y ~ u + I(u^2), y ~ u + I(u^2) + I(u^3) + I(u^4))
}
report("two_originals", points("u"), y2 ~ u + I(u^2) + original, y2 ~ u + I(u^2) + original + I(u^3) + I(u^4))

# the bound of flatness: noncentrality at which F(2, df) <= f has probability 0.05
for (f in c(0.3, 1, 4)) show(paste0("noncentrality.", f), uniroot(function(nc) pf(f, 2, 57, nc) - 0.05, c(1e-9, 100), tol = 1e-12)$root)
