# The samples that the golden scripts share: no random numbers, so that Python makes the same ones (see samples.py).
# Weyl sequences stand in for uniform draws, their normal quantiles for noise.
weyl <- function(n, step) ((1:n) * step) %% 1
golden <- 0.6180339887498949
silver <- 0.41421356237309515
bronze <- 0.7320508075688772

points <- function(shape, n = 120, noise = 0.5) {
  x <- 4 + 2 * weyl(n, golden)^1.5
  e <- qnorm(weyl(n, silver)) * noise * (1.5 - 0.5 * (x - 4))
  u <- x - 4.8
  y <- switch(shape,
    u = 4 * u^2,
    falls = 3 * exp(-2 * (x - 4)),
    hill = -3 * u^2,
    skewed = ifelse(u < 0, -4 * u, u),
    flat = 0 * u
  ) + e
  original <- ifelse(weyl(n, bronze) < 0.4, "a", "b")
  data.frame(x = x, y = y, original = original, y2 = y + ifelse(original == "a", 0, 0.7))
}

show <- function(name, value) cat(sprintf("%s %.12g\n", name, as.numeric(value)), sep = "")
