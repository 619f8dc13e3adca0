# Copyright (C) The call recorder authors
#
# Tests and the tools they use.

.PHONY: unit tools

UNIT := $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/test_*.c))
TOOL := $(patsubst t/tools/%.c,$(B)/bin/%,$(wildcard t/tools/*.c))

tools: $(TOOL)

unit: $(UNIT)                           ## unit tests of src/
	CMOCKA_MESSAGE_OUTPUT=TAP prove --exec '' $(UNIT)

$(B)/unit/%: $(B)/obj/t/unit/%.o $(B)/libcr.a
	@mkdir -p $(@D)
	$(CC) $(LD_OPT) -o $@ $^ -lcmocka $(LIBS)

$(B)/bin/%: $(B)/obj/t/tools/%.o $(B)/libcr.a
	@mkdir -p $(@D)
	$(CC) $(LD_OPT) -o $@ $^ $(LIBS)

.SECONDARY:

-include $(patsubst $(B)/unit/%,$(B)/obj/t/unit/%.d,$(UNIT))
-include $(patsubst $(B)/bin/%,$(B)/obj/t/tools/%.d,$(TOOL))
