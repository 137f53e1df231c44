# The authors' own code on their own examples and on data that every R has:
#   twolines.R of urisohn/statuser (ec00ac8), utest.R and uslopes.R of jotlind/utest (d920652); none of it is kept here.
# Rscript published.R FOLDER_OF_THE_THREE > published.txt
folder <- commandArgs(trailingOnly = TRUE)[1]
source("sample.R")
suppressMessages({library(mgcv); library(sandwich); library(lmtest)})
for (file in c("twolines.R", "utest.R", "uslopes.R")) source(file.path(folder, file))

report <- function(name, x, y, keep = FALSE) {
  if (keep) {
    show(paste0(name, ".x", seq_along(x)), x)
    show(paste0(name, ".y", seq_along(y)), y)
  }
  lines <- twolines(y ~ x, graph = 0, quiet = TRUE, data = data.frame(x = x, y = y))
  show(paste0(name, ".", c("b1", "b2", "z1", "z2", "p1", "p2", "xc", "u")),
       unlist(lines[c("b1", "b2", "z1", "z2", "p1", "p2", "xc", "u.sig")]))
  xsq <- x^2
  fit <- lm(y ~ x + xsq)
  slopes <- uslopes(fit, c("x", "xsq"), vcovHC(fit, "HC3"))
  test <- utest(fit, c("x", "xsq"), vcovHC(fit, "HC3"))
  show(paste0(name, ".slope", 1:2), slopes$slope)
  show(paste0(name, ".t", 1:2), slopes$tval)
  # where the extremum lies outside, utest gives no p-value
  show(paste0(name, ".utest_p"), if (is.null(test$p.value)) NaN else test$p.value)
}

# the example of twolines' documentation
set.seed(123)
x <- rnorm(100)
y <- -x^2 + rnorm(100)
report("statuser", x, y, keep = TRUE)
# that of utest's, which gives no seed
set.seed(1)
x <- runif(100, min = -1, max = 1)
y <- x^2 + rnorm(100)
report("utest", x, y, keep = TRUE)
# fuel against power and weight of 32 cars
report("mtcars_hp", mtcars$hp, mtcars$mpg, keep = TRUE)
report("mtcars_wt", mtcars$wt, mtcars$mpg, keep = TRUE)
# the size of the engine
report("mtcars_disp", mtcars$disp, mtcars$mpg, keep = TRUE)
