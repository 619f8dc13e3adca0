# Copyright (C) The call recorder authors
#
# Compilers and flags of each BUILD.  CC_OPT and LD_OPT are what a variant
# adds; the rest is the same for all.

HAVE_CCACHE := $(if $(shell command -v ccache),ccache)

CC_release  := gcc
CC_debug    := gcc
CC_sanitize := gcc
CC_coverage := gcc
CC_fuzz     := clang

dpkg-flags = $(shell dpkg-buildflags --get $(1))

CC_OPT_release  = $(call dpkg-flags,CFLAGS) $(call dpkg-flags,CPPFLAGS)
LD_OPT_release  = $(call dpkg-flags,LDFLAGS)
CC_OPT_debug    = -g -O0 -fno-omit-frame-pointer
CC_OPT_sanitize = -g -O1 -fno-omit-frame-pointer \
                  -fsanitize=address,undefined -fno-sanitize-recover=undefined
LD_OPT_sanitize = -fsanitize=address,undefined
CC_OPT_coverage = -g -O0 --coverage -fprofile-update=atomic
LD_OPT_coverage = --coverage
CC_OPT_fuzz     = -g -O1 -fno-omit-frame-pointer \
                  -fsanitize=fuzzer-no-link,address,undefined \
                  -fno-sanitize-recover=undefined
LD_OPT_fuzz     = -fsanitize=address,undefined

ifeq ($(CC_$(BUILD)),)
    $(error BUILD=$(BUILD) is none of: release debug sanitize coverage)
endif

CC     := $(HAVE_CCACHE) $(CC_$(BUILD))
CC_OPT := $(CC_OPT_$(BUILD))
LD_OPT := $(LD_OPT_$(BUILD))

CFLAGS   := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fPIC $(CC_OPT)
CPPFLAGS := -Isrc -I$(DEPS)/include -MMD -MP
LIBS     := $(DEPS)/libsrtp2.a -ljwt -ljansson -lexpat -lssl -lcrypto -lm
