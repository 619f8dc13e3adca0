
/*
 * Copyright (C) The call recorder authors
 *
 * Offers as known clients write them, with our own numbers.
 */

#include "publisher.h"


/* OBS 30 by libdatachannel: transport parameters of the session, no
 * candidates, no RTX, no header extensions. */
static void
client_obs(const publisher_t *p, FILE *out, const char *fingerprint)
{
    fprintf(out,
            "v=0\r\n"
            "o=rtc %u 0 IN IP4 127.0.0.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=group:BUNDLE 0 1\r\n"
            "a=group:LS 0 1\r\n"
            "a=msid-semantic:WMS *\r\n"
            "a=setup:%s\r\n"
            "a=ice-ufrag:%s\r\n"
            "a=ice-pwd:%s\r\n"
            "a=ice-options:ice2,trickle\r\n"
            "a=fingerprint:%s\r\n"
            "m=audio 9 UDP/TLS/RTP/SAVPF %u\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=mid:0\r\n"
            "a=sendonly\r\n"
            "a=ssrc:%u cname:obs\r\n"
            "a=ssrc:%u msid:obs obs-audio\r\n"
            "a=msid:obs obs-audio\r\n"
            "a=rtcp-mux\r\n"
            "a=rtpmap:%u opus/48000/2\r\n"
            "a=fmtp:%u minptime=10;maxaveragebitrate=96000;stereo=1;"
            "sprop-stereo=1;useinbandfec=1\r\n",
            p->streams[AUDIO].ssrc, p->options.setup, p->ufrag, p->pwd,
            fingerprint, PT_OPUS, p->streams[AUDIO].ssrc,
            p->streams[AUDIO].ssrc, PT_OPUS, PT_OPUS);

    fprintf(out,
            "m=video 9 UDP/TLS/RTP/SAVPF %u\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=mid:1\r\n"
            "a=sendonly\r\n"
            "a=ssrc:%u cname:obs\r\n"
            "a=ssrc:%u msid:obs obs-video\r\n"
            "a=msid:obs obs-video\r\n"
            "a=rtcp-mux\r\n"
            "a=rtpmap:%u H264/90000\r\n"
            "a=rtcp-fb:%u nack\r\n"
            "a=rtcp-fb:%u nack pli\r\n"
            "a=rtcp-fb:%u goog-remb\r\n"
            "a=fmtp:%u profile-level-id=42e01f;packetization-mode=1;"
            "level-asymmetry-allowed=1\r\n",
            PT_VIDEO, p->streams[VIDEO].ssrc, p->streams[VIDEO].ssrc,
            PT_VIDEO, PT_VIDEO, PT_VIDEO, PT_VIDEO, PT_VIDEO);

    if (p->options.layers > 1) {
        fprintf(out, "a=extmap:%u urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
                EXT_MID);
        simulcast_lines(out, p->options.layers);
    }
}


/* What FFmpeg's WHIP muxer says of both m-lines, whatever they are. */
static void
client_ffmpeg_mline(const publisher_t *p, FILE *out, const char *fingerprint,
    unsigned which)
{
    const char  *name = which == VIDEO ? "video" : "audio";

    mline_head(p, out, fingerprint, which, true);

    fprintf(out,
            "a=sendonly\r\n"
            "a=msid:FFmpeg %s\r\n"
            "a=rtcp-mux\r\n", name);

    if (which == VIDEO) {
        fprintf(out,
                "a=rtcp-rsize\r\n"
                "a=rtpmap:%u H264/90000\r\n"
                "a=fmtp:%u level-asymmetry-allowed=1;packetization-mode=1;"
                "profile-level-id=42e01f\r\n"
                "a=rtcp-fb:%u nack\r\n"
                "a=rtpmap:%u rtx/90000\r\n"
                "a=fmtp:%u apt=%u\r\n"
                "a=ssrc-group:FID %u %u\r\n",
                PT_VIDEO, PT_VIDEO, PT_VIDEO, PT_RTX, PT_RTX, PT_VIDEO,
                p->streams[VIDEO].ssrc, p->rtx_ssrc);

    } else {
        fprintf(out, "a=rtpmap:%u opus/48000/2\r\n", PT_OPUS);
    }

    fprintf(out,
            "a=ssrc:%u cname:FFmpeg\r\n"
            "a=ssrc:%u msid:FFmpeg %s\r\n",
            p->streams[which].ssrc, p->streams[which].ssrc, name);
}


static void
client_ffmpeg(const publisher_t *p, FILE *out, const char *fingerprint)
{
    fputs("v=0\r\n"
          "o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1\r\n"
          "s=FFmpegPublishSession\r\n"
          "t=0 0\r\n"
          "a=group:BUNDLE 0 1\r\n"
          "a=extmap-allow-mixed\r\n"
          "a=msid-semantic: WMS\r\n", out);

    client_ffmpeg_mline(p, out, fingerprint, AUDIO);
    client_ffmpeg_mline(p, out, fingerprint, VIDEO);
}


void
client_offer(const publisher_t *p, FILE *out, const char *fingerprint)
{
    if (p->options.client == CLIENT_OBS) {
        client_obs(p, out, fingerprint);

    } else {
        client_ffmpeg(p, out, fingerprint);
    }
}
