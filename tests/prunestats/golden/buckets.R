# Cross-validation of two predictors, the test that a ratio says more than its parts, and seeds as clusters:
# lm, splines, sandwich, lmtest, lme4.  Rscript buckets.R > buckets.txt
source("sample.R")
suppressMessages({library(sandwich); library(lmtest); library(splines); library(lme4)})

# subnetworks whose response depends on FLOPs / parameters and on FLOPs
n <- 150
flops <- 1e6 * (0.8 + 0.4 * weyl(n, golden))
params <- 5000 + 15000 * weyl(n, silver)
r <- log(flops / params)
y <- (r - 4.5)^2 + 0.5 * log(flops / 1e6) + 0.1 * qnorm(weyl(n, bronze))

square <- function(v) { u <- v - mean(v); cbind(u, u^2) }
base <- lm(y ~ square(log(flops)) + square(log(params)))
more <- lm(y ~ square(log(flops)) + square(log(params)) + I((r - mean(r))^2))
test <- waldtest(base, more, vcov = function(m) vcovHC(m, "HC3"))
show("beyond.f", test$F[2])
show("beyond.p", test$`Pr(>F)`[2])
show("beyond.r2_costs", summary(base)$adj.r.squared)
show("beyond.r2", summary(more)$adj.r.squared)

curve <- function(x) ns(x, knots = quantile(x, c(1/3, 2/3)), Boundary.knots = range(x))
losses <- function(columns, fold) sapply(0:9, function(f) {
  fit <- lm.fit(cbind(1, columns)[fold != f, ], y[fold != f])
  mean((y[fold == f] - cbind(1, columns)[fold == f, ] %*% fit$coefficients)^2)
})
fold <- (seq_len(n) - 1) %% 10
by_ratio <- losses(curve(r), fold)
by_params <- losses(curve(log(params)), fold)
show(paste0("loss.ratio.", 0:9), by_ratio)
show(paste0("loss.params.", 0:9), by_params)
d <- by_params - by_ratio
error <- sqrt((1 / 10 + 1 / 9) * var(d))
show("corrected.low", mean(d) - qt(0.975, 9) * error)
show("corrected.high", mean(d) + qt(0.975, 9) * error)
show("corrected.p", 2 * pt(-abs(mean(d)) / error, 9))

# three seeds a subnetwork: the runs with clusters say what the means say
runs <- data.frame(u = rep(r - mean(r), each = 3), s = rep(seq_len(n), each = 3))
runs$y <- rep(y, each = 3) + 0.2 * qnorm(weyl(3 * n, golden))
fit <- lm(y ~ u + I(u^2), data = runs)
v <- vcovCL(fit, cluster = runs$s, type = "HC3", cadjust = FALSE)
show(paste0("cluster.b", 0:2), coef(fit))
show(paste0("cluster.v", c("11", "12", "22")), c(v[2, 2], v[2, 3], v[3, 3]))
# and in any numbers of seeds, when every subnetwork counts alike
some <- runs[unlist(lapply(seq_len(n), function(i) 3 * (i - 1) + seq_len(1 + i %% 3))), ]
w <- 1 / ave(some$u, some$s, FUN = length)
fit <- lm(y ~ u + I(u^2), data = some, weights = w)
show(paste0("uneven.b", 0:2), coef(fit))
v <- vcovCL(fit, cluster = some$s, type = "HC3", cadjust = FALSE)
show(paste0("uneven.v", c("11", "12", "22")), c(v[2, 2], v[2, 3], v[3, 3]))
# the variances that the weights of the means rest on
components <- as.data.frame(VarCorr(lmer(y ~ poly(u, 4) + (1 | s), data = some)))
show("lmer.subnetwork", components$vcov[1])
show("lmer.seed", components$vcov[2])
