# Quantile regression with Powell's kernel covariance: quantreg.  Rscript envelope.R > envelope.txt
source("sample.R")
suppressMessages(library(quantreg))
for (shape in c("u", "falls", "skewed")) for (tau in c(0.05, 0.1, 0.5)) {
  d <- points(shape, n = 300)
  d$u <- d$x - mean(d$x)
  found <- summary(rq(y ~ u + I(u^2), tau = tau, data = d), se = "ker", covariance = TRUE)
  name <- paste0(shape, ".", tau)
  show(paste0(name, ".b", 0:2), found$coefficients[, 1])
  show(paste0(name, ".v", c("11", "12", "22")), found$cov[cbind(c(2, 2, 3), c(2, 3, 3))])
}
d <- points("u", n = 300)
d$u <- d$x - mean(d$x)
show(paste0("two_originals.b", 1:2), coef(rq(y2 ~ u + I(u^2) + original, tau = 0.1, data = d))[2:3])
d <- points("u", n = 8000)
d$u <- d$x - mean(d$x)
show(paste0("large.b", 0:2), coef(rq(y ~ u + I(u^2), tau = 0.05, data = d)))
