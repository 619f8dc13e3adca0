# Copyright (C) The call recorder authors
#
# Tests and the tools they use.  All speak TAP and run under prove:
#
#     t/unit/test_*.c       -> build/<variant>/unit/, cmocka
#     t/fuzz/fuzz_*.c       -> build/fuzz/, run by t/fuzz/fuzz.t
#     t/tools/*.c           -> build/<variant>/bin/
#     t/tools/<name>/*.c    -> build/<variant>/bin/<name>, with t/tools/lib
#     t/preload/*.c         -> build/<variant>/preload/*.so, for LD_PRELOAD
#     t/<what>/*.t          executables of their own
#
# Other *.c in t/unit is linked into each unit test.  The .t files find what
# was built in the environment: MODULE, FFMPEG, TOOLS (a folder), TOKEN; under
# sanitizers CALLREC_NGINX, too.

.PHONY: unit tools check lint

TEST_LIB := $(filter-out t/unit/test_%,$(wildcard t/unit/*.c))
UNIT     := $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/test_*.c))
TOOL_DIR := $(patsubst t/tools/%/,$(B)/bin/%, \
            $(filter-out t/tools/lib/,$(wildcard t/tools/*/)))
TOOL_LIB := $(patsubst %.c,$(B)/obj/%.o,$(wildcard t/tools/lib/*.c))
TOOL     := $(patsubst t/tools/%.c,$(B)/bin/%,$(wildcard t/tools/*.c)) \
            $(TOOL_DIR)
PRELOAD  := $(patsubst t/preload/%.c,$(B)/preload/%.so,\
            $(wildcard t/preload/*.c))
TOKEN    := $(ROOT)/$(B)/bin/token

T_LINT   := $(wildcard t/lint/*.t)
T_NGINX  := $(wildcard t/nginx/*.t)
T_FFMPEG := $(wildcard t/ffmpeg/*.t)
T_E2E    := $(wildcard t/e2e/*.t)
T_FUZZ   := $(wildcard t/fuzz/*.t)

JOBS         ?= 2
FUZZ_SECONDS ?= 5

# what a worker writes at its end must get into build/, whoever owns that
BUILT_sanitize := CALLREC_NGINX=$(ROOT)/.ci/nginx-sanitize CALLREC_USER=root
BUILT_coverage := CALLREC_USER=root

BUILT := MODULE=$(ROOT)/$(MODULE) FFMPEG=$(ROOT)/$(FFMPEG) \
         FFMPEG_WHIP=$(ROOT)/$(FFMPEG_WHIP) \
         TOOLS=$(ROOT)/$(B)/bin TOKEN=$(TOKEN) BUILD=$(BUILD) \
         $(BUILT_$(BUILD))
PROVE := $(BUILT) FUZZ_SECONDS=$(FUZZ_SECONDS) CMOCKA_MESSAGE_OUTPUT=TAP \
         PERL5LIB=$(ROOT)/t/lib prove

unit: $(UNIT)                           ## unit tests of src/
	@$(PROVE) -j $(JOBS) $(UNIT)

lint:                                   ## what a script can see in the tree
	@$(PROVE) $(T_LINT)

check: all $(UNIT) fuzzers ffmpeg-whip  ## all tests
	@$(PROVE) -j $(JOBS) --timer \
	    $(UNIT) $(T_LINT) $(T_FUZZ) $(T_NGINX) $(T_FFMPEG) $(T_E2E)

# make test-stun: t/unit/test_stun.c, t/*/stun.t

test-%:                                 ## the tests of this NAME, verbosely
	@set -e; files=; \
	if [ -f t/unit/test_$*.c ]; then \
	    $(MAKE) --no-print-directory $(B)/unit/test_$*; \
	    files=$(B)/unit/test_$*; \
	fi; \
	for file in t/*/$*.t; do \
	    [ -f "$$file" ] || continue; \
	    case $$file in \
	        t/lint/*)           needs= ;; \
	        t/fuzz/*)           needs=fuzzers ;; \
	        t/nginx/*)          needs='module tools' ;; \
	        t/e2e/ffmpeg.t)     needs='all ffmpeg-whip' ;; \
	        *)                  needs=all ;; \
	    esac; \
	    [ -z "$$needs" ] || $(MAKE) --no-print-directory $$needs; \
	    files="$$files $$file"; \
	done; \
	[ -n "$$files" ] || { echo 'no test is named $*' >&2; exit 1; }; \
	$(PROVE) -v $$files


tools: $(TOOL) $(PRELOAD)

# sanitizers' runtimes are nginx's own affair

$(B)/preload/%.so: t/preload/%.c
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -shared -fPIC \
	    -o $@ $< -ldl

$(B)/unit/%: $(B)/obj/t/unit/%.o $(TEST_LIB:%.c=$(B)/obj/%.o) $(B)/libcr.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LD_OPT) -o $@ $^ -lcmocka $(LIBS)

$(B)/bin/%: $(B)/obj/t/tools/%.o $(B)/libcr.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LD_OPT) -o $@ $^ $(LIBS)

# a tool of several files has a folder

$(B)/libtools.a: $(TOOL_LIB)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/obj/t/tools/%.o: CPPFLAGS += -It/tools/lib

.SECONDEXPANSION:

$(TOOL_DIR): $(B)/bin/%: $$(addprefix $(B)/obj/, \
    $$(addsuffix .o, $$(basename $$(wildcard t/tools/$$*/*.c)))) \
    $(B)/libtools.a $(B)/libcr.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LD_OPT) -o $@ $^ $(LIBS)

-include $(wildcard $(B)/obj/t/*/*.d $(B)/obj/t/*/*/*.d)
