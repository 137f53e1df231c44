# Nested variance components: aov's mean squares with their expectations by the trace, Wald's interval by root search, REML of nlme
# on the balanced part (where it equals the analysis of variance).  Rscript components.R > components.txt
source("sample.R")
suppressMessages(library(nlme))
design <- function(balanced) {
  original <- rep(c("m", "n", "o"), c(5, 4, 6))
  if (balanced) original <- rep(c("m", "n", "o"), each = 5)
  seeds <- if (balanced) rep(3, 15) else rep(c(3, 1, 2, 4, 2), 3)
  cell <- rep(seq_along(original), seeds)
  data <- data.frame(o = factor(original[cell]), s = factor(sprintf("s%02d", cell)))
  data$y <- c(m = 0, n = 1.5, o = -1)[as.character(data$o)] + qnorm(weyl(15, golden))[cell] + 0.5 * qnorm(weyl(nrow(data), silver))
  data
}
projector <- function(group) { z <- model.matrix(~ 0 + group); z %*% solve(crossprod(z), t(z)) }
moments <- function(name, d) {
  n <- nrow(d); p_s <- projector(d$s); p_o <- projector(d$o); p_1 <- matrix(1 / n, n, n)
  between <- function(group) tcrossprod(model.matrix(~ 0 + group))
  forms <- list(diag(n) - p_s, p_s - p_o, p_o - p_1)
  trace <- function(m) sum(diag(m))
  A <- t(sapply(forms, function(q) c(trace(q), trace(q %*% between(d$s)), trace(q %*% between(d$o)))))
  squares <- sapply(forms, function(q) as.numeric(t(d$y) %*% q %*% d$y))
  found <- solve(A, squares)
  table <- summary(aov(y ~ o + s, d))[[1]]
  stopifnot(all.equal(rev(squares), table[["Sum Sq"]]))
  show(paste0(name, c(".seed", ".subnetwork", ".original")), found)
  mse <- squares[1] / trace(forms[[1]])
  show(paste0(name, c(".seed.low", ".seed.high")), squares[1] / qchisq(c(0.975, 0.025), trace(forms[[1]])))
  # the statistic as a generalised least squares fit with the covariance I + ratio Z Z'
  statistic <- function(ratio) {
    root <- solve(chol(diag(n) + ratio * between(d$s)))
    rss <- deviance(lm(t(root) %*% d$y ~ 0 + t(root) %*% model.matrix(~ 0 + d$o)))
    (rss - squares[1]) / trace(forms[[2]]) / mse
  }
  ends <- sapply(c(0.975, 0.025), function(q) uniroot(function(r) statistic(r) - qf(q, trace(forms[[2]]), trace(forms[[1]])), c(0, 1e4), tol = 1e-12)$root)
  show(paste0(name, c(".icc.low", ".icc.high")), ends / (1 + ends))
}
moments("balanced", design(TRUE))
moments("unbalanced", design(FALSE))
fit <- lme(y ~ 1, random = ~ 1 | o / s, data = design(TRUE), control = lmeControl(tolerance = 1e-12, msTol = 1e-13))
v <- as.numeric(VarCorr(fit)[c(2, 4, 5), "Variance"])
show(paste0("reml", c(".original", ".subnetwork", ".seed")), v)
