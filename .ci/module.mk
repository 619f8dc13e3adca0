# Copyright (C) The call recorder authors
#
# The nginx module, built as Debian builds its own: against the headers and
# the configure flags of nginx-dev.

NGINX_DEV := /usr/share/nginx/src
MODULE    := $(B)/ngx_callrec_module.so

.PHONY: module

module: $(MODULE)                       ## the nginx module for Debian's nginx

GLUE        := $(wildcard ngx_modules/*.c)
MODULE_DEPS := $(SRC) $(GLUE) $(wildcard src/*/*.h ngx_modules/*.h)

# configure writes beside itself: give it a folder of links instead of
# Debian's.

$(B)/nginx/objs/Makefile: config .ci/module.mk .ci/variant.mk \
    $(wildcard $(NGINX_DEV)/conf_flags) $(DEPS)/libsrtp2.a
	@test -f $(NGINX_DEV)/conf_flags \
	    || { echo 'nginx-dev is missing: make deps'; exit 1; }
	$(call say,CONFIGURE)
	@rm -rf $(B)/nginx
	@mkdir -p $(B)/nginx
	@ln -s $(NGINX_DEV)/auto $(NGINX_DEV)/configure $(NGINX_DEV)/src $(B)/nginx
	$(Q)cd $(B)/nginx && bash -c '. $(NGINX_DEV)/conf_flags \
	    && CALLREC_SRTP=$(ROOT)/$(DEPS) ./configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc="$(CC)" --with-cc-opt="$(CC_OPT) -fPIC" \
	    --with-ld-opt="$(LD_OPT) -fPIC" \
	    --add-dynamic-module=$(ROOT)' > configure.log 2>&1 \
	    || { tail -20 $(B)/nginx/configure.log; rm -f $@; exit 1; }

$(MODULE): $(B)/nginx/objs/Makefile $(MODULE_DEPS)
	$(call say,MODULE)
	$(Q)$(MAKE) $(if $(Q),-s) --no-print-directory -C $(B)/nginx \
	    -f objs/Makefile modules
	$(Q)cp $(B)/nginx/objs/ngx_callrec_module.so $@
