# Penalised cubic regression spline, smoothing by GCV and by REML: mgcv.  Rscript spline.R > spline.txt
source("sample.R")
suppressMessages(library(mgcv))
at <- c(4.05, 4.4, 4.8, 5.3, 5.9)
for (shape in c("u", "falls", "skewed")) for (method in c("GCV.Cp", "REML")) {
  fit <- gam(y ~ s(x, bs = "cr", k = 10), data = points(shape), method = method)
  found <- predict(fit, data.frame(x = at), se.fit = TRUE)
  name <- paste0(shape, ".", if (method == "REML") "reml" else "gcv")
  show(paste0(name, ".edf"), sum(fit$edf))
  show(paste0(name, ".sigma2"), fit$sig2)
  show(paste0(name, ".fit", 1:5), found$fit)
  show(paste0(name, ".se", 1:5), found$se.fit)
}
