"""A process that imports a table: `importer.py URL FILE STUDY`; it says when it begins."""

import sys

from prunestats.db import import_results

if __name__ == "__main__":
    print("begins", flush=True)
    url, file, study = sys.argv[1:]
    import_results(url, file, original="net", flops_convention="multiply-adds", study=study)
