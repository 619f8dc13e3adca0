OBJS-$(CONFIG_CALLMIX_FILTER)   += avsrc_callmix.o callmix_decode.o            \
                                   callmix_demux.o callmix_fetch.o             \
                                   callmix_folder.o callmix_journal.o          \
                                   callmix_layout.o callmix_limiter.o          \
                                   callmix_manifest.o callmix_source.o         \
                                   callmix_timeline.o callmix_video.o          \
                                   callmix_voice.o
