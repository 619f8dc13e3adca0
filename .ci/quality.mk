# Copyright (C) The call recorder authors
#
# Fuzzers, sanitizers, coverage, other versions of nginx.

.PHONY: fuzz fuzzers fuzzers-here sanitize coverage nginx-compat


# libFuzzer with ASan and UBSan; what is found goes to build/fuzz.

FUZZER := $(patsubst t/fuzz/%.c,build/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

fuzz: fuzzers                           ## FUZZ_SECONDS=n for each fuzzer
	@$(PROVE) -v $(T_FUZZ)

fuzzers: $(DEPS)/libsrtp2.a
	@$(MAKE) --no-print-directory BUILD=fuzz fuzzers-here

fuzzers-here: $(FUZZER)

build/fuzz/fuzz_%: $(B)/obj/t/fuzz/fuzz_%.o $(B)/libcr.a
	$(call say,LINK)
	$(Q)$(CC) -fsanitize=fuzzer $(LD_OPT) -o $@ $^ $(LIBS)


# Stock nginx gets the sanitizers' runtime by .ci/nginx-sanitize, which the
# tests start instead; reports are collected in log/, each of them an error.

SANITIZE_LOG := build/sanitize/log

sanitize:                               ## units and module tests, ASan + UBSan
	@$(MAKE) --no-print-directory BUILD=sanitize unit
	@$(MAKE) --no-print-directory BUILD=sanitize module tools
	@rm -rf $(SANITIZE_LOG)
	@mkdir -p -m 1777 $(SANITIZE_LOG)
	@$(MAKE) --no-print-directory BUILD=sanitize sanitize-nginx; \
	status=$$?; cat $(SANITIZE_LOG)/* 2> /dev/null && exit 1; \
	exit $$status

.PHONY: sanitize-nginx

sanitize-nginx:
	@SANITIZE_LOG=$(ROOT)/$(SANITIZE_LOG)/report $(PROVE) $(T_NGINX)

ifeq ($(BUILD),sanitize)
module: build/sanitize/nodlclose.so
endif

build/sanitize/nodlclose.so: .ci/nodlclose.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)gcc -shared -fPIC -o $@ $<


# Lines run by the units and by the module in its tests.

COVERAGE_SRC  ?= 85
COVERAGE_GLUE ?= 75

coverage:                               ## line coverage of src/, ngx_modules/
	@$(MAKE) --no-print-directory BUILD=coverage module tools ffmpeg ffmpeg-whip
	@find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory BUILD=coverage unit coverage-nginx
	@.ci/coverage src=$(COVERAGE_SRC) ngx_modules=$(COVERAGE_GLUE)

.PHONY: coverage-nginx

coverage-nginx:
	@$(PROVE) $(T_NGINX) $(T_E2E)


# An upstream tree with nothing but --with-threads, and its binary.

NGINX_COMPAT := trixie

nginx-compat: $(DEPS)/libsrtp2.a        ## the module in a newer nginx
	@for suite in $(NGINX_COMPAT); do \
	    .ci/nginx-compat $$suite build/nginx-$$suite || exit 1; \
	done
