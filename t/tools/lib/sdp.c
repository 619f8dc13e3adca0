
/*
 * Copyright (C) The call recorder authors
 */

#include <arpa/inet.h>
#include <netdb.h>

#include "publisher.h"


void
simulcast_lines(FILE *out, unsigned layers)
{
    unsigned  i;

    fprintf(out,
            "a=extmap:%u urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
            "a=extmap:%u urn:ietf:params:rtp-hdrext:sdes:"
            "repaired-rtp-stream-id\r\n",
            EXT_RID, EXT_REPAIRED_RID);

    for (i = 0; i < layers; i++) {
        fprintf(out, "a=rid:%u send\r\n", i);
    }

    fprintf(out, "a=simulcast:send 0");

    for (i = 1; i < layers; i++) {
        fprintf(out, ";%u", i);
    }

    fprintf(out, "\r\n");
}


void
mline_head(const publisher_t *p, FILE *out, const char *fingerprint,
    unsigned which, bool rtx)
{
    if (which == AUDIO) {
        fprintf(out, "m=audio 9 UDP/TLS/RTP/SAVPF %u\r\n", PT_OPUS);

    } else if (rtx) {
        fprintf(out, "m=video 9 UDP/TLS/RTP/SAVPF %u %u\r\n", PT_VIDEO,
                PT_RTX);

    } else {
        fprintf(out, "m=video 9 UDP/TLS/RTP/SAVPF %u\r\n", PT_VIDEO);
    }

    fprintf(out,
            "c=IN IP4 0.0.0.0\r\n"
            "a=ice-ufrag:%s\r\n"
            "a=ice-pwd:%s\r\n"
            "a=fingerprint:%s\r\n"
            "a=setup:%s\r\n"
            "a=mid:%u\r\n",
            p->ufrag, p->pwd, fingerprint, p->options.setup, which);
}


static void
sdp_mline(const publisher_t *p, FILE *out, const char *fingerprint,
    unsigned which)
{
    const media_t   *m = &p->media[which];
    unsigned         i;
    const stream_t  *s = &p->streams[which];
    bool             rtx = which == VIDEO && !p->options.no_rtx;
    bool             rids = p->options.layers > 1 && !p->options.by_ssrc;

    mline_head(p, out, fingerprint, which, rtx);

    fprintf(out,
            "a=extmap:%u http://www.ietf.org/id/"
            "draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
            "a=extmap:%u urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
            "a=sendonly\r\n"
            "a=rtcp-mux\r\n"
            "a=rtcp-rsize\r\n"
            "a=msid:publisher %u\r\n",
            EXT_TWCC, EXT_MID, which);

    if (which == AUDIO) {
        fprintf(out,
                "a=rtpmap:%u opus/48000/2\r\n"
                "a=rtcp-fb:%u transport-cc\r\n"
                "a=ssrc:%u cname:publisher\r\n",
                PT_OPUS, PT_OPUS, s->ssrc);

        if (p->options.level > 0) {
            fprintf(out, "a=extmap:%u urn:ietf:params:rtp-hdrext:"
                         "ssrc-audio-level\r\n", EXT_LEVEL);
        }

        if (p->options.audio_nack) {
            fprintf(out, "a=rtcp-fb:%u nack\r\n", PT_OPUS);
        }

        return;
    }

    if (p->options.turn != 0) {
        fprintf(out, "a=extmap:%u urn:3gpp:video-orientation\r\n",
                EXT_ORIENTATION);
    }

    fprintf(out,
            "a=rtpmap:%u %s/90000\r\n"
            "a=rtcp-fb:%u transport-cc\r\n"
            "a=rtcp-fb:%u nack\r\n"
            "a=rtcp-fb:%u nack pli\r\n",
            PT_VIDEO, m->codec == CR_CODEC_VP8 ? "VP8" : "H264", PT_VIDEO,
            PT_VIDEO, PT_VIDEO);

    if (m->codec == CR_CODEC_H264) {
        fprintf(out, "a=fmtp:%u level-asymmetry-allowed=1;"
                     "packetization-mode=%d;profile-level-id=42e01f\r\n",
                PT_VIDEO, p->options.single_nal ? 0 : 1);
    }

    if (rtx) {
        fprintf(out,
                "a=rtpmap:%u rtx/90000\r\n"
                "a=fmtp:%u apt=%u\r\n",
                PT_RTX, PT_RTX, PT_VIDEO);
    }

    if (rids) {
        simulcast_lines(out, p->options.layers);
        return;
    }

    if (p->options.layers > 1) {
        fprintf(out, "a=ssrc-group:SIM");

        for (i = 0; i < p->options.layers; i++) {
            fprintf(out, " %u", s[i].ssrc);
        }

        fprintf(out, "\r\n");
    }

    for (i = 0; rtx && (i == 0 || i < p->options.layers); i++) {
        fprintf(out,
                "a=ssrc-group:FID %u %u\r\n"
                "a=ssrc:%u cname:publisher\r\n",
                s[i].ssrc, p->rtx_ssrc + i, p->rtx_ssrc + i);
    }

    fprintf(out, "a=ssrc:%u cname:publisher\r\n", s->ssrc);
}


size_t
sdp_offer(const publisher_t *p, char *buf, size_t size)
{
    char      fingerprint[128];
    FILE     *out;
    size_t    len;
    unsigned  i;

    snprintf(fingerprint, sizeof(fingerprint), "%s",
             cr_dtls_cert_fingerprint(p->cert));

    if (p->options.wrong_fingerprint) {
        /* behind "sha-256 " */
        fingerprint[8] = fingerprint[8] == '0' ? '1' : '0';
    }

    out = fmemopen(buf, size, "w");

    if (out == NULL) {
        return 0;
    }

    if (p->options.client != CLIENT_OURS) {
        client_offer(p, out, fingerprint);
        len = (size_t) ftell(out);

        return fclose(out) == 0 && len < size ? len : 0;
    }

    fprintf(out,
            "v=0\r\n"
            "o=- %u 2 IN IP4 127.0.0.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=group:BUNDLE",
            p->streams[AUDIO].ssrc);

    for (i = 0; i < 2; i++) {
        if (p->media[i].nframes != 0) {
            fprintf(out, " %u", i);
        }
    }

    fprintf(out, "\r\na=msid-semantic: WMS publisher\r\n");

    for (i = 0; i < 2; i++) {
        if (p->media[i].nframes != 0) {
            sdp_mline(p, out, fingerprint, i);
        }
    }

    len = (size_t) ftell(out);

    return fclose(out) == 0 && len < size ? len : 0;
}


static void
sdp_address(struct sockaddr_storage *addr, socklen_t *len, const char *host,
    const char *port, int family)
{
    struct addrinfo  hints, *list;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = family;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST;

    if (getaddrinfo(host, port, &hints, &list) == 0) {
        memcpy(addr, list->ai_addr, list->ai_addrlen);
        *len = list->ai_addrlen;
        freeaddrinfo(list);
    }
}


/* The first one, or the first with an IPv6 address. */
static void
sdp_candidate(answer_t *a, const char *value, bool ipv6)
{
    int   family;
    char  transport[8], host[64], port[8], type[16], tcptype[16];

    tcptype[0] = '\0';
    family = ipv6 ? AF_INET6 : AF_UNSPEC;

    if (sscanf(value, "%*s %*s %7s %*s %63s %7s typ %15s tcptype %15s",
               transport, host, port, type, tcptype) < 4)
    {
        return;
    }

    if (a->addr_len == 0 && strcasecmp(transport, "udp") == 0) {
        sdp_address(&a->addr, &a->addr_len, host, port, family);
    }

    if (a->tcp_len == 0 && strcasecmp(transport, "tcp") == 0
        && strcmp(tcptype, "passive") == 0)
    {
        sdp_address(&a->tcp, &a->tcp_len, host, port, family);
    }
}


static void
sdp_value(char *to, size_t size, const char *line, size_t len, size_t head)
{
    len -= head;

    if (len >= size) {
        len = size - 1;
    }

    memcpy(to, line + head, len);
    to[len] = '\0';
}


const char *
sdp_answer(publisher_t *p, const char *sdp)
{
    char         line[1024], host[64], port[8];
    size_t       len;
    unsigned     number, rids, which;
    answer_t    *a = &p->answer;
    const char  *pos;

    memset(a, 0, sizeof(answer_t));
    rids = 0;

    for (pos = sdp; *pos != '\0'; pos += len + strspn(pos + len, "\r\n")) {
        len = strcspn(pos, "\r\n");
        sdp_value(line, sizeof(line), pos, len, 0);

        rids += strncmp(line, "a=rid:", 6) == 0;

        if (strncmp(line, "a=ice-ufrag:", 12) == 0) {
            sdp_value(a->ufrag, sizeof(a->ufrag), pos, len, 12);

        } else if (strncmp(line, "a=ice-pwd:", 10) == 0) {
            sdp_value(a->pwd, sizeof(a->pwd), pos, len, 10);

        } else if (strncmp(line, "a=fingerprint:", 14) == 0) {
            sdp_value(a->fingerprint, sizeof(a->fingerprint), pos, len, 14);

        } else if (strcmp(line, "a=setup:active") == 0) {
            a->active = true;

        } else if (strncmp(line, "a=candidate:", 12) == 0) {
            sdp_candidate(a, line + 12, p->options.ipv6);

        } else if (sscanf(line, "m=%*s %u", &number) == 1) {
            which = strncmp(line, "m=video", 7) == 0 ? VIDEO : AUDIO;
            a->taken[which] = number != 0;
        }
    }

    /* as OBS does */
    if (p->options.layers > 1 && !p->options.by_ssrc
        && rids != p->options.layers)
    {
        return "the answer does not take all layers";
    }

    if (a->ufrag[0] == '\0' || a->pwd[0] == '\0'
        || strncmp(a->fingerprint, "sha-256 ", 8) != 0)
    {
        return "the answer lacks ICE or DTLS parameters";
    }

    if (p->options.via != NULL
        && sscanf(p->options.via, "%63[^:]:%7s", host, port) == 2)
    {
        sdp_address(&a->addr, &a->addr_len, host, port, AF_UNSPEC);
        sdp_address(&a->tcp, &a->tcp_len, host, port, AF_UNSPEC);
    }

    if (a->addr_len == 0) {
        return "the answer has no UDP candidate";
    }

    if (a->tcp_len == 0 && (p->options.tcp || p->options.to_tcp)) {
        return "the answer has no TCP candidate";
    }

    if (!a->taken[AUDIO] && !a->taken[VIDEO]) {
        return "the answer takes nothing";
    }

    return NULL;
}
