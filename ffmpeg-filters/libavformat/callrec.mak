OBJS-$(CONFIG_CALLREC_MUXER)    += callrecenc.o callrec_http.o callrec_upload.o
