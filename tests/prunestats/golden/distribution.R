# Clopper-Pearson intervals and the exact law of the Kolmogorov-Smirnov statistic: stats.  Rscript distribution.R > distribution.txt
source("sample.R")
for (k in c(0, 1, 7, 20)) show(paste0("clopper_pearson.", k, c(".low", ".high")), binom.test(k, 20)$conf.int)
# the half width of the band is the d with P(D >= d) = 0.05; a sample with D = d is evenly spaced and shifted
for (n in c(5, 20, 60)) {
  tail <- function(d) ks.test((1:n - 0.5) / n + d - 0.5 / n, "punif", exact = TRUE)$p.value - 0.05
  show(paste0("band.", n), uniroot(tail, c(0.6 / n, 0.9), tol = 1e-12)$root)
}
