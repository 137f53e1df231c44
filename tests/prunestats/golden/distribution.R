# Clopper-Pearson intervals and the exact law of the Kolmogorov-Smirnov statistic: stats.  Rscript distribution.R > distribution.txt
source("sample.R")
for (k in c(0, 1, 7, 20)) show(paste0("clopper_pearson.", k, c(".low", ".high")), binom.test(k, 20)$conf.int)
# the half width of the band is the d with P(D >= d) = 0.05; a sample with D = d is evenly spaced and shifted
for (n in c(5, 20, 60)) {
  tail <- function(d) ks.test((1:n - 0.5) / n + d - 0.5 / n, "punif", exact = TRUE)$p.value - 0.05
  show(paste0("band.", n), uniroot(tail, c(0.6 / n, 0.9), tol = 1e-12)$root)
}
# the same values as in comparison.R, and weights that go with them
a <- round(0.10 + 0.02 * qnorm(weyl(25, golden)), 3)
w <- 1.7 + weyl(25, silver) - 10 * a
show(paste0("area.", c("value", "low", "high")), { t <- t.test(pmax(0.11 - a, 0)); c(t$estimate, t$conf.int) })
for (q in c(0.2, 0.5)) {
  # the binomial pair of order statistics
  s <- c(-Inf, sort(a), Inf)
  r <- max(which(pbinom(0:24, 25, q) <= 0.025), 0)
  u <- min(which(1 - pbinom(0:24, 25, q) <= 0.025))
  show(paste0("order.", q, c(".low", ".high")), c(s[1 + r], s[1 + u]))
  suppressMessages(library(boot))
  set.seed(1)
  draws <- boot(a, function(x, i) quantile(x[i], q, type = 1), R = 40000)$t
  show(paste0("boot.", q, c(".low", ".high")), quantile(draws, c(0.025, 0.975), type = 1))
}
at <- 0.09
p <- w / sum(w)
f <- weighted.mean(a <= at, w)
kish <- 1 / sum(p^2)
n <- min(kish, f * (1 - f) / sum(p^2 * ((a <= at) - f)^2))
show(paste0("weighted.", c("f", "kish", "n", "low", "high")),
     c(f, kish, n, qbeta(0.025, f * n, n - f * n + 1), qbeta(0.975, f * n + 1, n - f * n)))
area <- weighted.mean(pmax(0.11 - a, 0), w)
show(paste0("weighted.area.", c("value", "half")),
     c(area, qt(0.975, kish - 1) * sqrt(sum(p^2 * (pmax(0.11 - a, 0) - area)^2) / (1 - 1 / kish))))
# the multiplier process, value by value, on a large sample without ties
b <- qnorm(weyl(400, silver)); v <- 0.2 + weyl(400, bronze); v <- v[order(b)] / sum(v)
set.seed(2)
sup <- replicate(20000, { z <- cumsum(rnorm(400) * v); max(abs(z - z[400] * cumsum(v)) + 0.5826 * v) })
show("multiplier", quantile(sup, 0.95))
