# Random-effects meta-regression by metafor: REML, DL, Knapp and Hartung, Q-profile, prediction, two levels.
# Rscript meta.R > meta.txt   (Debian: r-cran-metafor)
source("sample.R")
suppressMessages(library(metafor))
k <- 12
se <- 0.05 + 0.15 * weyl(k, bronze)
x <- 4 + weyl(k, golden)
tight <- list(threshold = 1e-12, maxiter = 1000)
fits <- function(name, y, formula) {
  fit <- rma(y, sei = se, mods = formula, method = "REML", test = "knha", control = tight)
  show(paste0(name, ".b", seq_along(fit$beta) - 1), fit$beta)
  show(paste0(name, ".se", seq_along(fit$beta) - 1), fit$se)
  show(paste0(name, ".low", seq_along(fit$beta) - 1), fit$ci.lb)
  show(paste0(name, ".p", seq_along(fit$beta) - 1), fit$pval)
  show(paste0(name, c(".tau2", ".i2", ".q", ".q.p")), c(fit$tau2, fit$I2 / 100, fit$QE, fit$QEp))
  ends <- confint(fit, control = list(tol = 1e-12))$random["tau^2", ]
  show(paste0(name, c(".tau2.low", ".tau2.high")), ends[2:3])
  show(paste0(name, ".dl"), rma(y, sei = se, mods = formula, method = "DL")$tau2)
  at <- if (length(fit$beta) == 2) predict(fit, newmods = 4.6) else predict(fit)
  show(paste0(name, c(".at", ".at.low", ".at.high", ".new.low", ".new.high")), c(at$pred, at$ci.lb, at$ci.ub, at$pi.lb, at$pi.ub))
}
noise <- qnorm(weyl(k, silver))
fits("line", 1 + 0.8 * x + 0.2 * noise, ~x)
fits("mean", 1 + 0.2 * noise, ~1)
fits("none", 1 + 0.03 * noise, ~1)
# four groups of three, with a moderator that varies within them and one that does not
group <- rep(1:4, each = 3)
z <- rep(log(c(0.25, 0.5, 0.75)), 4)
w <- rep(x[1:4], each = 3)
y <- 0.5 * w - 0.4 * z + 0.8 * qnorm(weyl(4, silver))[group] + 0.2 * noise
d <- data.frame(y, v = se^2, group, z, w, row = 1:k)
fit <- rma.mv(y, v, mods = ~ w + z, random = list(~ 1 | group, ~ 1 | row), data = d, method = "REML", test = "t", dfs = "contain",
              control = list(rel.tol = 1e-12))
show(paste0("two.b", 0:2), fit$beta)
show(paste0("two.se", 0:2), fit$se)
show(paste0("two.df", 0:2), fit$ddf)
show(paste0("two.tau2.", c("between", "within")), fit$sigma2)
