# Copyright (C) The call recorder authors
#
# What the module, the tests and the tools share: libsrtp2 with the OpenSSL
# back end from Debian's source package, and libcr.a of all of src/.

.PHONY: deps-srtp lib

deps-srtp: $(DEPS)/libsrtp2.a           ## libsrtp2 with OpenSSL, static

SRTP_SRC := build/src/libsrtp2-$(SUITE)

$(DEPS)/libsrtp2.a: .ci/debian-source .ci/library.mk
	$(call say,BUILD)
	$(Q).ci/debian-source libsrtp2 $(SUITE) $(SRTP_SRC)
	@rm -rf $(DEPS)/srtp
	@mkdir -p $(DEPS)/srtp $(DEPS)/include/srtp2
	$(Q)cd $(DEPS)/srtp && $(ROOT)/$(SRTP_SRC)/configure --enable-openssl \
	    CC="$(HAVE_CCACHE) gcc" CFLAGS="-g -O3 -fPIC -fvisibility=hidden" \
	    > configure.log 2>&1 || { tail -20 configure.log; exit 1; }
	$(Q)$(MAKE) -C $(DEPS)/srtp libsrtp2.a > $(DEPS)/srtp/make.log 2>&1 \
	    || { tail -20 $(DEPS)/srtp/make.log; exit 1; }
	$(Q)cp $(SRTP_SRC)/include/srtp.h $(addprefix $(SRTP_SRC)/crypto/include/, \
	    auth.h cipher.h crypto_types.h) $(DEPS)/include/srtp2/
	$(Q)cp $(DEPS)/srtp/libsrtp2.a $@


SRC     := $(wildcard src/*/*.c)
SRC_OBJ := $(SRC:%.c=$(B)/obj/%.o)

lib: $(B)/libcr.a                       ## src/ as a static library

$(B)/libcr.a: $(SRC_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $(SRC_OBJ)

$(B)/obj/%.o: %.c .ci/variant.mk | $(DEPS)/libsrtp2.a
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(SRC_OBJ:.o=.d)
