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

include .ci/variant.mk
include .ci/library.mk
include .ci/module.mk
include .ci/test.mk

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

.PHONY: all help clean

all: module tools                       ## build everything

help:                                   ## list the targets
	@echo 'usage: make [TARGET] [BUILD=release|debug|sanitize|coverage]'
	@awk -F ':.*## ' '/^[a-zA-Z-]+:.*## / \
	    { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean:                                  ## remove build/
	rm -rf build
