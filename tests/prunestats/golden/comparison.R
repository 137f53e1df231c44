# Welch, Brunner-Munzel (by the formulas of the paper), Kolmogorov-Smirnov, bootstrap of medians: stats, boot.
# Rscript comparison.R > comparison.txt
source("sample.R")
suppressMessages(library(boot))
a <- round(0.10 + 0.02 * qnorm(weyl(25, golden)), 3)   # rounded, so that there are ties
b <- round(0.11 + 0.03 * qnorm(weyl(40, silver)), 3)
welch <- t.test(a, b)
show("welch.value", -diff(welch$estimate))
show(paste0("welch.", c("low", "high")), welch$conf.int)

n1 <- length(a); n2 <- length(b)
r <- rank(c(a, b)); r1 <- r[1:n1]; r2 <- r[-(1:n1)]
s1 <- sum((r1 - rank(a) - mean(r1) + (n1 + 1) / 2)^2) / (n1 - 1)
s2 <- sum((r2 - rank(b) - mean(r2) + (n2 + 1) / 2)^2) / (n2 - 1)
p <- (mean(r2) - (n2 + 1) / 2) / n1
se <- sqrt(s1 / (n1 * n2^2) + s2 / (n2 * n1^2))
df <- (s1 / n2 + s2 / n1)^2 / ((s1 / n2)^2 / (n1 - 1) + (s2 / n1)^2 / (n2 - 1))
show("brunner_munzel.value", p)
show(paste0("brunner_munzel.", c("low", "high")), plogis(qlogis(p) + c(-1, 1) * qt(0.975, df) * se / (p * (1 - p))))
show("brunner_munzel.p", 2 * pt(-abs((p - 0.5) / se), df))

ks <- suppressWarnings(ks.test(a, b, exact = TRUE))
show("ks.value", ks$statistic)

set.seed(1)
data <- data.frame(y = c(a, b), group = rep(1:2, c(n1, n2)))
draws <- boot(data, function(d, i) { d <- d[i, ]; median(d$y[d$group == 1]) - median(d$y[d$group == 2]) }, R = 40000, strata = data$group)
show("median.value", draws$t0)
show(paste0("median.", c("low", "high")), quantile(draws$t, c(0.025, 0.975), type = 6))
show("median.sd", sd(draws$t))
