# Copyright (C) The call recorder authors
#
# Measurements; none of them is part of "make check".  docs/benchmarks.md has
# their tables.

.PHONY: bench-ingest bench-loss

bench-ingest: module tools              ## BENCH_SECONDS=n: CPU per packet
	@$(BUILT) t/bench/ingest

bench-loss: module tools                ## BENCH_SECONDS=n: frames lost
	@$(BUILT) t/bench/loss
