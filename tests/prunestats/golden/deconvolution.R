# Deconvolution by an exponential family of polynomial log densities with a ridge, maximised by optim, and the posterior
# of the least of the means.  Rscript deconvolution.R > deconvolution.txt
source("sample.R")
n <- 60
y <- 0.1 + 0.02 * qnorm(weyl(n, golden)) + 0.03 * weyl(n, silver)^3
variance <- 0.0001 / (1 + (1:n) %% 3)
beyond <- 2 * sqrt(max(variance))
grid <- seq(min(y) - beyond, max(y) + beyond, length.out = 150)
z <- 2 * (grid - mean(grid)) / (grid[150] - grid[1])
# Legendre polynomials of degree 1 to 4, written out
terms <- cbind(z, (3 * z^2 - 1) / 2, (5 * z^3 - 3 * z) / 2, (35 * z^4 - 30 * z^2 + 3) / 8)
law <- function(a) { e <- terms %*% a; g <- exp(e - max(e)); as.numeric(g / sum(g)) }
kernel <- outer(1:n, 1:150, function(i, j) exp(-(y[i] - grid[j])^2 / (2 * variance[i])))
loss <- function(a) -sum(log(kernel %*% law(a))) + 0.01 * sum(a[3:4]^2) / 2
fit <- optim(c(0, -10, 0, 0), loss, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
fit <- optim(fit$par, loss, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
g <- law(fit$par)
i <- which.min(y)
posterior <- g * kernel[i, ]; posterior <- posterior / sum(posterior)
show(c("loss", "mean", "sd"), c(fit$value, sum(g * grid), sqrt(sum(g * (grid - sum(g * grid))^2))))
show(c("least", "least.mean"), c(y[i], sum(posterior * grid)))
