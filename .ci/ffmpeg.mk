# Copyright (C) The call recorder authors
#
# FFmpeg of our own: Debian's unmodified source with ffmpeg-filters/ laid
# over it.

FFMPEG_SUITE  := trixie
FFMPEG        := build/ffmpeg/ffmpeg
FFMPEG_COMPAT := $(SUITE) sid

# the first suite whose FFmpeg publishes by WHIP
WHIP_SUITE    := sid
FFMPEG_WHIP   := build/ffmpeg-whip/ffmpeg

.PHONY: ffmpeg ffmpeg-whip ffmpeg-compat

ffmpeg: $(FFMPEG)                       ## ffmpeg with callmix and callrec

$(FFMPEG): $(wildcard ffmpeg-filters/* ffmpeg-filters/*/*) .ci/debian-source
	$(call say,BUILD)
	$(Q)ffmpeg-filters/build.sh $(FFMPEG_SUITE) $(@D)
	@touch $@

ffmpeg-whip: $(FFMPEG_WHIP)             ## an ffmpeg that publishes, for tests

$(FFMPEG_WHIP): .ci/ffmpeg-whip .ci/debian-source
	$(call say,BUILD)
	$(Q).ci/ffmpeg-whip $(WHIP_SUITE) $(@D)
	@touch $@

ffmpeg-compat:                          ## the overlay in other FFmpegs
	@for suite in $(FFMPEG_COMPAT); do \
	    ffmpeg-filters/build.sh $$suite build/ffmpeg-$$suite objects \
	        || exit 1; \
	    echo "  fits $$suite's FFmpeg"; \
	done
