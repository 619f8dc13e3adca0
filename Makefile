# Copyright (C) The call recorder authors
#
# Everything is built into build/; "make help" lists the targets.
#
# BUILD=release|debug|sanitize|coverage chooses the variant, each with a
# folder of its own; its flags are in .ci/variant.mk.

BUILD ?= release

ROOT  := $(CURDIR)
B     := build/$(BUILD)
DEPS  := build/deps
SUITE := $(shell . /etc/os-release && echo $$VERSION_CODENAME)

# make V=1 shows the commands
Q   := $(if $(V),,@)
say  = @printf '  %-10s %s\n' '$(1)' '$@'

include .ci/variant.mk
include .ci/library.mk
include .ci/module.mk
include .ci/ffmpeg.mk
include .ci/test.mk
include .ci/quality.mk
include .ci/bench.mk

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps run demo token install clean


all: module tools ffmpeg                ## build everything

help:                                   ## list the targets
	@echo 'usage: make [TARGET] [BUILD=release|debug|sanitize|coverage]'
	@echo
	@awk -F ':.*## *' '/^[a-zA-Z%-]+:.*## / \
	    { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# npm is to trust whom Debian trusts
CA_CERTS := $(or $(NODE_EXTRA_CA_CERTS),/etc/ssl/certs/ca-certificates.crt)

deps:                                   ## install what Debian and npm have
	.ci/deps
	cd t/e2e && NODE_EXTRA_CA_CERTS=$(CA_CERTS) \
	    npm ci --no-audit --no-fund --loglevel=error


# Serving, and the main job.  conf/serve.sh makes the prefix.

PREFIX ?= build/run
PORT   ?= 3000

run: module ffmpeg                      ## serve on http://localhost:3000
	@$(BUILT) conf/serve.sh $(PREFIX) $(PORT)

demo:                                   ## two browsers, one recording, an MP4
	@$(MAKE) --no-print-directory deps all
	@$(BUILT) t/e2e/demo.sh build/demo $(PORT)

PERMS ?= publish,record,read,delete

token:                                  ## CALL=room123: a token for it
	@test -n '$(CALL)' || { echo 'usage: make token CALL=room123' >&2; exit 1; }
	@test -s $(PREFIX)/conf/jwt.key \
	    || { echo 'there is no key yet: "make run" makes one' >&2; exit 1; }
	@$(MAKE) --no-print-directory -s tools >&2
	@$(TOKEN) --key-file $(PREFIX)/conf/jwt.key --call '$(CALL)' \
	    --perms '$(PERMS)'


# DESTDIR= is honoured; the system's ffmpeg stays as it is.

DOCDIR := /usr/share/doc/call-recorder

install: module ffmpeg                  ## DESTDIR=: module, ffmpeg, docs
	install -D -m 644 -t $(DESTDIR)/usr/lib/nginx/modules $(MODULE)
	install -D -m 755 $(FFMPEG) $(DESTDIR)/usr/bin/callrec-ffmpeg
	install -D -m 644 -t $(DESTDIR)$(DOCDIR) README.md CHANGES LICENSE \
	    $(wildcard docs/*.md)
	install -D -m 644 -t $(DESTDIR)$(DOCDIR)/examples conf/nginx.conf
	install -D -m 644 -t $(DESTDIR)$(DOCDIR)/examples/html conf/html/*

clean:                                  ## remove build/
	rm -rf build
