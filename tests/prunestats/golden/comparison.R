# Welch, Brunner-Munzel and Anderson-Darling (by the formulas of the papers), Kolmogorov-Smirnov, bootstrap of quantiles,
# permutation, Holm, Tukey: stats, boot.
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

low_quantile <- function(x) quantile(x, 0.2, type = 2)
draws <- boot(data, function(d, i) { d <- d[i, ]; low_quantile(d$y[d$group == 1]) - low_quantile(d$y[d$group == 2]) }, R = 40000, strata = data$group)
show("quantile.value", draws$t0)
show(paste0("quantile.", c("low", "high")), quantile(draws$t, c(0.025, 0.975), type = 6))

area <- t.test(pmax(0.1 - a, 0), pmax(0.1 - b, 0))
show("area.value", -diff(area$estimate))
show(paste0("area.", c("low", "high")), area$conf.int)

# best of 4: sums with choose, leaving one out for the jackknife, and the t of Satterthwaite with n / k - 1 each
least <- function(x, k) { x <- sort(x); n <- length(x); sum(x * choose(n - seq_len(n), k - 1)) / choose(n, k) }
variance <- function(x, k) { n <- length(x); l <- sapply(seq_len(n), function(i) least(x[-i], k)); (n - 1) / n * sum((l - mean(l))^2) }
v <- c(variance(a, 4), variance(b, 4)); df <- c(n1, n2) / 4 - 1
show("best.value", least(a, 4) - least(b, 4))
show("best.half", qt(0.975, sum(v)^2 / sum(v^2 / df)) * sqrt(sum(v)))

# Anderson and Darling's statistic by Scholz and Stephens, eq. (7), place by place
ad <- function(samples) {
  z <- unlist(samples); N <- length(z); total <- 0
  for (x in samples) for (u in unique(z)) {
    l <- sum(z == u); B <- sum(z < u) + l / 2; M <- sum(x < u) + sum(x == u) / 2
    total <- total + l / N * (N * M - length(x) * B)^2 / (B * (N - B) - N * l / 4) / length(x)
  }
  (N - 1) / N * total
}
show("ad.2", ad(list(a, b)))
show("ad.3", ad(list(a, b, b[1:15] - 0.02)))

# three bins of FLOPs by quantiles, Welch within them, and labels permuted within them
flops <- c(1000 + 100 * weyl(n1, bronze), 1030 + 90 * weyl(n2, bronze))
y <- c(a, b); of_a <- seq_along(y) <= n1
bin <- findInterval(flops, quantile(flops, 1:2 / 3))
w <- table(bin) / length(y)
difference <- function(of_a) sum(w * (tapply(y[of_a], bin[of_a], mean) - tapply(y[!of_a], bin[!of_a], mean)))
v <- c(w^2 * tapply(y[of_a], bin[of_a], var) / table(bin[of_a]), w^2 * tapply(y[!of_a], bin[!of_a], var) / table(bin[!of_a]))
df <- c(table(bin[of_a]), table(bin[!of_a])) - 1
show("binned.value", difference(of_a))
show("binned.half", qt(0.975, sum(v)^2 / sum(v^2 / df)) * sqrt(sum(v)))
permuted <- replicate(20000, difference(as.logical(ave(of_a, bin, FUN = sample))))
show("binned.p", mean(abs(permuted) >= abs(difference(of_a)) - 1e-12))

show("ks.above.p", mean(replicate(20000, { s <- sample(y); max(ecdf(s[1:n1])(y) - ecdf(s[-(1:n1)])(y)) }) >= max(ecdf(a)(y) - ecdf(b)(y)) - 1e-9))
show(paste0("holm.", 1:5), p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.9), "holm"))
show("tukey", qtukey(0.95, 10, Inf) / sqrt(2))
