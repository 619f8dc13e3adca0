
/*
 * Copyright (C) The call recorder authors
 *
 * RTCP of the peer: sender reports and BYE come in; receiver reports, NACK,
 * keyframe requests and congestion feedback go out.
 */

#include "peer/peer_core.h"


/* Receiver reports (RFC 4585 section 3.4 lets the first come early). */
#define CR_PEER_REPORT_FIRST_US  200000
#define CR_PEER_REPORT_US        1000000
/* Transport-wide feedback, while something arrives: often enough for one who
 * tries what the network takes, which is many packets, and seldom otherwise.
 * Senders expect 50 to 250 ms. */
#define CR_PEER_TWCC_US          200000
#define CR_PEER_TWCC_PENDING     64

/* What an RTT may be believed to be. */
#define CR_PEER_RTT_MIN_US       5000
#define CR_PEER_RTT_MAX_US       2000000
/* What part of the difference a measurement counts. */
#define CR_PEER_RTT_DOWN         4
#define CR_PEER_RTT_UP           8
#define CR_PEER_RTT_AGAIN        16
#define CR_PEER_RTT_XR           2
/* what an XR may say, in 1/65536 s */
#define CR_PEER_XR_MAX           (10 * 65536)
/* Where the way is long, it is asked sooner: so often in a hole's life. */
#define CR_PEER_NACK_ROUNDS      12
/* So many round trips a packet is waited for, or give_up_us; not longer than
 * twice that: browsers keep packets for three round trips at least, and for
 * three times that if there is room, and begin anew with each repetition. */
#define CR_PEER_GIVE_UP_ROUNDS   20

/* A packet that was asked for so often does not get through. */
#define CR_PEER_STUCK            6

#define CR_PEER_RTCP_MAX         1200


typedef struct {
    cr_writer_t  w;
    uint8_t      buf[CR_PEER_RTCP_MAX + CR_SRTP_TRAILER_MAX];
} cr_peer_rtcp_t;


static void cr_peer_rtcp_sr(cr_peer_t *peer, const cr_rtcp_t *rtcp);
static void cr_peer_rtcp_xr(cr_peer_t *peer, const cr_rtcp_t *rtcp);
static uint64_t cr_peer_rtcp_ntp(const cr_peer_t *peer);
static void cr_peer_rtcp_rtt(cr_peer_t *peer, int64_t rtt, int64_t divisor);
static void cr_peer_rtcp_bye_from(cr_peer_t *peer, const cr_rtcp_t *rtcp);
static cr_peer_track_t *cr_peer_rtcp_track(cr_peer_t *peer, uint32_t ssrc);
static void cr_peer_rtcp_init(cr_peer_rtcp_t *rtcp);
static void cr_peer_rtcp_send(cr_peer_t *peer, cr_peer_rtcp_t *rtcp);
static uint8_t cr_peer_rtcp_head(cr_peer_t *peer, cr_writer_t *w);
static void cr_peer_rtcp_report(cr_peer_t *peer);
static void cr_peer_rtcp_remb(cr_peer_t *peer, cr_writer_t *w,
    uint64_t bitrate);
static void cr_peer_rtcp_remb_now(cr_peer_t *peer);
static void cr_peer_rtcp_nack(cr_peer_track_t *track);
static void cr_peer_rtcp_twcc(cr_peer_t *peer);
static void cr_peer_rtcp_keyframe_send(cr_peer_track_t *track);
static int64_t cr_peer_rtcp_keyframe_us(const cr_peer_track_t *track);


void
cr_peer_rtcp_start(cr_peer_t *peer)
{
    unsigned                  i;
    uint8_t                   random[8];
    const cr_media_params_t  *params;

    static const char  hex[] = "0123456789abcdef";

    cr_random(&peer->env, random, sizeof(random));

    peer->ssrc = cr_get_u32(random) | 1;

    /* RFC 7022 section 4.2: a name for this session alone */
    for (i = 0; i < 8; i++) {
        peer->cname[i] = hex[random[4 + i / 2] >> (i % 2 * 4) & 0x0f];
    }

    for (i = 0; i < peer->ntracks; i++) {
        params = peer->tracks[i].params;

        if (params->fb_twcc && peer->twcc_ext == 0) {
            peer->twcc_ext = params->ext_twcc;
        }

        if (peer->send_time_ext == 0) {
            peer->send_time_ext = params->ext_abs_send_time;
        }

        peer->remb |= params->fb_remb;
    }

    /* one kind of congestion feedback is enough */
    if (peer->twcc_ext != 0 || peer->config.max_bitrate == 0) {
        peer->remb = false;
    }

    cr_twcc_init(&peer->twcc);
    cr_remb_init(&peer->estimate, peer->config.max_bitrate, peer->now_us);

    peer->report_us = peer->now_us + CR_PEER_REPORT_FIRST_US;
    peer->report_interval_us = CR_PEER_REPORT_FIRST_US;
    peer->twcc_us = peer->now_us + CR_PEER_TWCC_US;
}


cr_status_e
cr_peer_rtcp_input(cr_peer_t *peer, uint8_t *data, size_t len)
{
    cr_rtcp_t       rtcp;
    cr_status_e     rc;
    const uint8_t  *pos, *end;

    rc = cr_srtp_open_rtcp(peer->srtp, data, &len);

    if (rc != CR_OK) {
        return rc;
    }

    peer->consent_us = peer->now_us;

    pos = data;
    end = data + len;

    for ( ;; ) {
        rc = cr_rtcp_next(&pos, end, &rtcp);

        if (rc != CR_OK) {
            return rc == CR_AGAIN ? CR_OK : rc;
        }

        switch (rtcp.type) {

        case CR_RTCP_SR:
            cr_peer_rtcp_sr(peer, &rtcp);
            break;

        case CR_RTCP_BYE:
            cr_peer_rtcp_bye_from(peer, &rtcp);
            break;

        case CR_RTCP_XR:
            cr_peer_rtcp_xr(peer, &rtcp);
            break;

        default:
            break;
        }
    }
}


static void
cr_peer_rtcp_sr(cr_peer_t *peer, const cr_rtcp_t *rtcp)
{
    cr_rtcp_sr_t      sr;
    cr_peer_track_t  *track;

    track = cr_peer_rtcp_track(peer, rtcp->ssrc);

    if (track == NULL || cr_rtcp_sr(rtcp, &sr) != CR_OK) {
        return;
    }

    cr_rtp_stream_sr(track->stream, &sr, peer->now_us);
    cr_track_clock_sr(&track->clock, &peer->sender, sr.ntp,
                      sr.rtp_timestamp, peer->now_us);
    cr_peer_media_clock(peer, false);
}


/* The answer to our RRTR: browsers send it with their next sender report. */
static void
cr_peer_rtcp_xr(cr_peer_t *peer, const cr_rtcp_t *rtcp)
{
    uint32_t  last_rr, delay, passed;

    if (!cr_rtcp_dlrr(rtcp, peer->ssrc, &last_rr, &delay) || last_rr == 0) {
        return;
    }

    passed = (uint32_t) (cr_peer_rtcp_ntp(peer) >> 16) - last_rr - delay;

    /* negative, or an answer to what was never sent */
    if (passed > CR_PEER_XR_MAX) {
        return;
    }

    cr_peer_rtcp_rtt(peer, (int64_t) passed * 1000000 / 65536,
                     CR_PEER_RTT_XR);
}


/* Our time as NTP has it; from whenever, for it only comes back. */
static uint64_t
cr_peer_rtcp_ntp(const cr_peer_t *peer)
{
    uint64_t  us = (uint64_t) peer->now_us;

    return us / 1000000 << 32 | (us % 1000000 << 32) / 1000000;
}


static void
cr_peer_rtcp_bye_from(cr_peer_t *peer, const cr_rtcp_t *rtcp)
{
    uint32_t          ssrc;
    unsigned          i;
    cr_peer_track_t  *track;

    for (i = 0; cr_rtcp_bye(rtcp, i, &ssrc); i++) {
        track = cr_peer_rtcp_track(peer, ssrc);

        if (track != NULL) {
            track->bye = true;
        }
    }
}


static cr_peer_track_t *
cr_peer_rtcp_track(cr_peer_t *peer, uint32_t ssrc)
{
    unsigned  i;

    for (i = 0; i < peer->ntracks; i++) {
        if (peer->tracks[i].stream != NULL && peer->tracks[i].ssrc == ssrc) {
            return &peer->tracks[i];
        }
    }

    return NULL;
}


bool
cr_peer_rtcp_all_bye(const cr_peer_t *peer)
{
    bool      any;
    unsigned  i;

    any = false;

    for (i = 0; i < peer->ntracks; i++) {
        if (peer->tracks[i].stream == NULL) {
            continue;
        }

        if (!peer->tracks[i].bye) {
            return false;
        }

        any = true;
    }

    return any;
}


static void
cr_peer_rtcp_init(cr_peer_rtcp_t *rtcp)
{
    cr_writer_init(&rtcp->w, rtcp->buf, CR_PEER_RTCP_MAX);
}


static void
cr_peer_rtcp_send(cr_peer_t *peer, cr_peer_rtcp_t *rtcp)
{
    size_t  len;

    len = cr_writer_len(&rtcp->w);

    if (rtcp->w.overflow || peer->state == CR_PEER_CLOSED
        || cr_srtp_seal_rtcp(peer->srtp, rtcp->buf, &len) != CR_OK)
    {
        return;
    }

    peer->handlers.send(peer->handlers.ctx, &peer->remote, rtcp->buf, len);
}


/* RFC 3550 section 6.1: a compound begins with a report and the name.  Says
 * what share of a stream was lost, of the worst one. */
static uint8_t
cr_peer_rtcp_head(cr_peer_t *peer, cr_writer_t *w)
{
    uint8_t           lost;
    unsigned          i, n;
    cr_peer_track_t  *track;
    cr_rtcp_block_t   blocks[CR_TRACK_MAX];

    n = 0;
    lost = 0;

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (track->stream != NULL && !track->bye) {
            cr_rtp_stream_report(track->stream, peer->now_us, &blocks[n]);

            if (blocks[n].fraction_lost > lost) {
                lost = blocks[n].fraction_lost;
            }

            n++;
        }
    }

    cr_rtcp_write_rr(w, peer->ssrc, blocks, n);
    cr_rtcp_write_sdes(w, peer->ssrc, peer->cname);

    return lost;
}


static void
cr_peer_rtcp_report(cr_peer_t *peer)
{
    uint8_t         lost;
    cr_peer_rtcp_t  rtcp;

    cr_peer_rtcp_init(&rtcp);
    lost = cr_peer_rtcp_head(peer, &rtcp.w);
    cr_rtcp_write_rrtr(&rtcp.w, peer->ssrc, cr_peer_rtcp_ntp(peer));

    if (peer->remb) {
        cr_peer_rtcp_remb(peer, &rtcp.w,
                          cr_remb_report(&peer->estimate, lost,
                                         peer->now_us));
    }

    cr_peer_rtcp_send(peer, &rtcp);
}


static void
cr_peer_rtcp_remb(cr_peer_t *peer, cr_writer_t *w, uint64_t bitrate)
{
    uint32_t  ssrcs[CR_TRACK_MAX];
    unsigned  i, n;

    n = 0;

    for (i = 0; i < peer->ntracks; i++) {
        if (peer->tracks[i].stream != NULL) {
            ssrcs[n++] = peer->tracks[i].ssrc;
        }
    }

    if (n != 0) {
        cr_rtcp_write_remb(w, peer->ssrc, bitrate, ssrcs, n);
    }
}


/* Between two reports, without any blocks: their intervals go on. */
static void
cr_peer_rtcp_remb_now(cr_peer_t *peer)
{
    cr_peer_rtcp_t  rtcp;

    peer->remb_due = false;

    cr_peer_rtcp_init(&rtcp);
    cr_rtcp_write_rr(&rtcp.w, peer->ssrc, NULL, 0);
    cr_rtcp_write_sdes(&rtcp.w, peer->ssrc, peer->cname);
    cr_peer_rtcp_remb(peer, &rtcp.w, peer->estimate.bitrate);
    cr_peer_rtcp_send(peer, &rtcp);
}


void
cr_peer_rtcp_bye(cr_peer_t *peer)
{
    cr_peer_rtcp_t  rtcp;

    cr_peer_rtcp_init(&rtcp);
    cr_rtcp_write_rr(&rtcp.w, peer->ssrc, NULL, 0);
    cr_rtcp_write_sdes(&rtcp.w, peer->ssrc, peer->cname);
    cr_rtcp_write_bye(&rtcp.w, peer->ssrc);
    cr_peer_rtcp_send(peer, &rtcp);
}


void
cr_peer_rtcp_timeout(cr_peer_t *peer)
{
    unsigned          i;
    cr_peer_track_t  *track;

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (track->stream == NULL) {
            continue;
        }

        if (peer->now_us >= cr_rtp_stream_deadline(track->stream)) {
            cr_peer_media_pop(track);
            cr_peer_rtcp_nack(track);
        }

        if (peer->now_us >= cr_peer_rtcp_keyframe_us(track)) {
            cr_peer_rtcp_keyframe_send(track);
        }
    }

    if (peer->twcc.pending >= CR_PEER_TWCC_PENDING
        || (peer->twcc.pending != 0 && peer->now_us >= peer->twcc_us))
    {
        cr_peer_rtcp_twcc(peer);
    }

    if (peer->remb_due) {
        cr_peer_rtcp_remb_now(peer);
    }

    if (peer->now_us >= peer->report_us) {
        cr_peer_rtcp_report(peer);
        cr_peer_media_clock(peer, false);

        peer->report_interval_us = cr_peer_min(peer->report_interval_us * 2,
                                               CR_PEER_REPORT_US);
        peer->report_us = peer->now_us + peer->report_interval_us;
    }
}


int64_t
cr_peer_rtcp_deadline(const cr_peer_t *peer)
{
    int64_t                 deadline;
    unsigned                i;
    const cr_peer_track_t  *track;

    deadline = peer->remb_due ? peer->now_us : peer->report_us;

    if (peer->twcc.pending >= CR_PEER_TWCC_PENDING) {
        deadline = peer->now_us;

    } else if (peer->twcc.pending != 0) {
        deadline = cr_peer_min(deadline, peer->twcc_us);
    }

    for (i = 0; i < peer->ntracks; i++) {
        track = &peer->tracks[i];

        if (track->stream != NULL) {
            deadline = cr_peer_min(deadline,
                                   cr_rtp_stream_deadline(track->stream));
            deadline = cr_peer_min(deadline, cr_peer_rtcp_keyframe_us(track));
        }
    }

    return deadline;
}


/* In a datagram of its own: browsers answer it sooner than in a compound. */
static void
cr_peer_rtcp_nack(cr_peer_track_t *track)
{
    int64_t          rtt_us;
    uint16_t         seqs[CR_NACK_MAX];
    unsigned         i, n;
    cr_peer_t       *peer = track->peer;
    cr_peer_rtcp_t   rtcp;

    rtt_us = cr_peer_min(peer->rtt_us,
                         cr_peer_rtcp_give_up(peer) / CR_PEER_NACK_ROUNDS);

    n = cr_rtp_stream_nack(track->stream, peer->now_us, rtt_us, seqs);

    if (n == 0) {
        return;
    }

    cr_peer_rtcp_init(&rtcp);
    cr_rtcp_write_nack(&rtcp.w, peer->ssrc, track->ssrc, seqs, n);
    cr_peer_rtcp_send(peer, &rtcp);

    if (track->leading && !track->keyframe_awaited) {
        cr_peer_rtcp_keyframe(track);
    }

    for (i = 0; i < n && track->probing; i++) {
        track->probe_again |= seqs[i] == track->probe_seq;
    }

    /* what is newer than all before is asked for the first time */
    if ((int16_t) (seqs[n - 1] - track->asked_seq) <= 0) {
        return;
    }

    track->asked_seq = seqs[n - 1];

    if (!track->probing
        || peer->now_us - track->probe_us > CR_PEER_RTT_MAX_US)
    {
        track->probing = true;
        track->probe_again = false;
        track->probe_seq = seqs[n - 1];
        track->probe_us = peer->now_us;
    }
}


void
cr_peer_rtcp_probe(cr_peer_track_t *track, uint16_t seq)
{
    int64_t     rtt;
    cr_peer_t  *peer = track->peer;

    if (!track->probing || track->probe_seq != seq) {
        return;
    }

    track->probing = false;
    rtt = peer->now_us - track->probe_us;

    /*
     * An answer is never sooner than the round trip.  To a question asked
     * again it may be later, but to ignore those (as RFC 6298 does) would be
     * to ask too soon for ever, where the way is longer than was thought.
     */
    cr_peer_rtcp_rtt(peer, rtt, rtt < peer->rtt_us ? CR_PEER_RTT_DOWN
                                : track->probe_again ? CR_PEER_RTT_AGAIN
                                : CR_PEER_RTT_UP);
}


static void
cr_peer_rtcp_rtt(cr_peer_t *peer, int64_t rtt, int64_t divisor)
{
    unsigned  i;

    rtt = cr_peer_min(cr_peer_max(rtt, CR_PEER_RTT_MIN_US),
                      CR_PEER_RTT_MAX_US);

    if (!peer->rtt_known) {
        divisor = 1;
    }

    peer->rtt_us += (rtt - peer->rtt_us) / divisor;
    peer->rtt_known = true;

    for (i = 0; i < peer->ntracks; i++) {
        if (peer->tracks[i].stream != NULL) {
            cr_rtp_stream_give_up(peer->tracks[i].stream,
                                  cr_peer_try_give_up(&peer->tracks[i]));
        }
    }
}


int64_t
cr_peer_rtcp_give_up(const cr_peer_t *peer)
{
    int64_t  least_us = peer->config.give_up_us;

    return cr_peer_min(2 * least_us,
                       cr_peer_max(least_us, CR_PEER_GIVE_UP_ROUNDS
                                             * peer->rtt_us));
}


void
cr_peer_rtcp_keyframe(cr_peer_track_t *track)
{
    track->keyframe_patient = false;
    cr_peer_rtcp_keyframe_send(track);
}


void
cr_peer_rtcp_keyframe_patient(cr_peer_track_t *track)
{
    /* one that is due waits no longer than it would have */
    if (!track->keyframe_due) {
        track->keyframe_patient = true;
        track->keyframe_since_us = track->peer->now_us;
    }

    cr_peer_rtcp_keyframe_send(track);
}


static void
cr_peer_rtcp_keyframe_send(cr_peer_track_t *track)
{
    cr_peer_t       *peer = track->peer;
    cr_peer_rtcp_t   rtcp;

    if (track->params->kind != CR_KIND_VIDEO
        || (!track->params->fb_pli && !track->params->fb_fir)
        || peer->ending != CR_PEER_ALIVE)
    {
        return;
    }

    track->keyframe_due = true;

    if (track->stream == NULL || peer->state != CR_PEER_CONNECTED
        || peer->now_us < cr_peer_rtcp_keyframe_us(track))
    {
        return;
    }

    cr_peer_rtcp_init(&rtcp);

    if (track->params->fb_pli) {
        cr_rtcp_write_pli(&rtcp.w, peer->ssrc, track->ssrc);

    } else {
        cr_rtcp_write_fir(&rtcp.w, peer->ssrc, track->ssrc, track->fir_seq++);
    }

    cr_peer_rtcp_send(peer, &rtcp);

    track->keyframe_due = false;
    track->keyframe_awaited = true;
    track->keyframe_asked = true;
    track->keyframe_asked_us = peer->now_us;

    peer->plis++;
}


/* When a request that is due may be sent; INT64_MAX: none is. */
static int64_t
cr_peer_rtcp_keyframe_us(const cr_peer_track_t *track)
{
    int64_t   at_us;
    unsigned  asked;

    if (!track->keyframe_due) {
        return INT64_MAX;
    }

    at_us = track->keyframe_asked
                ? track->keyframe_asked_us + track->peer->config.pli_interval_us
                : INT64_MIN;

    if (track->keyframe_patient
        && cr_rtp_stream_missing(track->stream, &asked))
    {
        at_us = cr_peer_max(at_us,
                            track->keyframe_since_us
                            + (asked < CR_PEER_STUCK ? CR_PEER_PATIENCE_US
                                                     : CR_PEER_STUCK_US));
    }

    return at_us;
}


static void
cr_peer_rtcp_twcc(cr_peer_t *peer)
{
    uint32_t        media;
    unsigned        i;
    cr_peer_rtcp_t  rtcp;

    media = 0;

    /* libwebrtc looks at the packet's numbers, others at the SSRC too */
    for (i = 0; i < peer->ntracks; i++) {
        if (peer->tracks[i].stream != NULL) {
            media = peer->tracks[i].ssrc;
        }
    }

    cr_peer_rtcp_init(&rtcp);

    while (cr_twcc_write(&peer->twcc, &rtcp.w, peer->ssrc, media)) {
        cr_peer_rtcp_send(peer, &rtcp);
        cr_peer_rtcp_init(&rtcp);
    }

    peer->twcc_us = peer->now_us + CR_PEER_TWCC_US;
}
