# Copyright (C) The call recorder authors
#
# Measurements; none of them is part of "make check".

.PHONY: bench-ingest

BENCH_SECONDS ?= 8

bench-ingest: module tools              ## BENCH_SECONDS=n: CPU per packet
	@$(BUILT) BENCH_SECONDS=$(BENCH_SECONDS) t/bench/ingest
