
/*
 * Copyright (C) The call recorder authors
 *
 * Opus (RFC 7587 section 7), and several of its streams in one packet, which
 * libwebrtc calls multiopus: what an OpusHead of mapping family 1 has (RFC
 * 7845 section 5.1.1) stands in a=fmtp.
 */


#include "sdp/sdp_internal.h"


#define MULTIOPUS      "multiopus/48000/"
#define MULTIOPUS_LEN  (sizeof(MULTIOPUS) - 1)

/* RFC 7845 section 5.1.1.2: a channel that is silent */
#define SILENT         255


uint8_t
cr_sdp_multiopus(const cr_str_t *media, const cr_str_t *encoding)
{
    uint32_t  n;
    cr_str_t  channels, name;

    if (encoding->len <= MULTIOPUS_LEN || !cr_str_eq(media, "audio")) {
        return 0;
    }

    name.data = encoding->data;
    name.len = MULTIOPUS_LEN;
    channels.data = encoding->data + MULTIOPUS_LEN;
    channels.len = encoding->len - MULTIOPUS_LEN;

    return cr_str_case_eq(&name, MULTIOPUS)
           && cr_str_number(&channels, CR_OPUS_CHANNELS_MAX, &n)
           ? (uint8_t) n : 0;
}


void
cr_sdp_multiopus_mapping(cr_sdp_payload_t *payload, cr_str_t value)
{
    unsigned  n;
    uint32_t  v;
    cr_str_t  item;

    payload->opus.nmapping = 0;

    for (n = 0; cr_str_split(&value, ',', &item); n++) {
        if (n == CR_OPUS_CHANNELS_MAX || !cr_str_number(&item, SILENT, &v)) {
            return;
        }

        payload->opus.mapping[n] = (uint8_t) v;
    }

    payload->opus.nmapping = (uint8_t) n;
}


bool
cr_sdp_multiopus_known(const cr_sdp_payload_t *payload)
{
    unsigned  i, n;

    if (payload->opus.channels == 0) {
        /* of one or two, by RFC 7587 */
        return true;
    }

    n = payload->opus.streams + (unsigned) payload->opus.coupled;

    if (payload->opus.streams == 0
        || payload->opus.coupled > payload->opus.streams || n >= SILENT
        || payload->opus.nmapping != payload->opus.channels)
    {
        return false;
    }

    for (i = 0; i < payload->opus.nmapping; i++) {
        if (payload->opus.mapping[i] >= n
            && payload->opus.mapping[i] != SILENT)
        {
            return false;
        }
    }

    return true;
}


void
cr_sdp_fill_opus(cr_media_params_t *media, const cr_sdp_payload_t *payload)
{
    if (payload->opus.channels == 0) {
        return;
    }

    media->channels = payload->opus.channels;
    media->opus_streams = payload->opus.streams;
    media->opus_coupled = payload->opus.coupled;
    memcpy(media->opus_mapping, payload->opus.mapping,
           sizeof(media->opus_mapping));
}


void
cr_sdp_write_opus(cr_writer_t *w, const cr_media_params_t *media)
{
    unsigned  i;

    if (media->opus_streams != 0) {
        cr_sdp_printf(w, "a=rtpmap:%u " MULTIOPUS "%u\r\n"
                      "a=fmtp:%u channel_mapping=", media->pt,
                      media->channels, media->pt);

        for (i = 0; i < media->channels; i++) {
            cr_sdp_printf(w, "%s%u", i == 0 ? "" : ",",
                          media->opus_mapping[i]);
        }

        cr_sdp_printf(w, ";coupled_streams=%u;minptime=10;num_streams=%u;"
                      "useinbandfec=1\r\n", media->opus_coupled,
                      media->opus_streams);

    } else {
        /* stereo=1 permits, it does not demand */

        cr_sdp_printf(w, "a=rtpmap:%u opus/48000/2\r\n"
                      "a=fmtp:%u minptime=10;useinbandfec=1;stereo=1\r\n",
                      media->pt, media->pt);
    }

    if (media->red_pt != 0) {
        cr_sdp_printf(w, "a=rtpmap:%u red/48000/2\r\n"
                      "a=fmtp:%u %u/%u\r\n", media->red_pt,
                      media->red_pt, media->pt, media->pt);
    }
}
