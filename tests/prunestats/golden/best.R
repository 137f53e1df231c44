# Best of k by visiting every subset, its jackknife by leaving out one by one, the band's correlation: combn, boot::empinf.
# Rscript best.R > best.txt
source("sample.R")
suppressMessages(library(boot))
a <- round(0.10 + 0.02 * qnorm(weyl(12, golden)), 2)   # rounded, so that there are ties
least <- function(x, k) mean(combn(length(x), k, function(i) min(x[i])))
for (k in c(1, 2, 5, 11)) {
  show(paste0("value.", k), least(a, k))
  # what empinf calls jackknife values are (n - 1) (mean of all but one - ...); its variance is their sum of squares over n (n - 1)
  values <- empinf(data = a, statistic = function(x, i) least(x[i], k), type = "jack", stype = "i")
  show(paste0("se.", k), sqrt(sum((values - mean(values))^2) / (12 * 11)))
}
show("value.12", least(a, 12))
# at n = 5,000 the sums with lchoose
b <- sort(0.10 + 0.02 * qnorm(weyl(5000, silver)))
for (k in c(10, 300, 4000)) {
  i <- 1:(5000 - k + 1)
  show(paste0("large.", k), sum(b[i] * exp(lchoose(5000 - i, k - 1) - lchoose(5000, k))))
}
found <- binom.test(sum(a <= 0.09), 12)
show("reach.p", found$estimate)
show(paste0("reach.", c("low", "high")), found$conf.int)
show(paste0("reach.draws.", c("high", "low")), qgeom(0.9, found$conf.int) + 1)
