
/*
 * Copyright (C) The call recorder authors
 *
 * The peer's life, the ladder from datagrams to protocols (RFC 7983), and
 * its deadlines.
 */

#include "peer/peer_core.h"


/* A sender that said BYE is gone sooner than one that fell silent. */
#define CR_PEER_BYE_GRACE_US  6000000
/* the granularity that deadlines are worth */
#define CR_PEER_TICK_US       1000


static void cr_peer_enter(cr_peer_t *peer, int64_t now_us);
static void cr_peer_leave(cr_peer_t *peer);
static void cr_peer_shut(cr_peer_t *peer);
static cr_status_e cr_peer_dtls_input(cr_peer_t *peer, const cr_addr_t *from,
    const uint8_t *data, size_t len);
static void cr_peer_dtls_start(cr_peer_t *peer);
static void cr_peer_dtls_status(cr_peer_t *peer, cr_status_e status);
static void cr_peer_dtls_send(void *ctx, const uint8_t *data, size_t len);
static int64_t cr_peer_consent_deadline(const cr_peer_t *peer);


cr_peer_t *
cr_peer_create(const cr_env_t *env, cr_dtls_cert_t *cert,
    const cr_sdp_session_t *session, const char *local_ufrag,
    const char *local_pwd, const cr_peer_config_t *config,
    const cr_peer_handlers_t *handlers, int64_t now_us)
{
    cr_peer_t  *peer;

    if (session->nmedia > CR_MEDIA_MAX
        || session->fingerprint_len > CR_FINGERPRINT_MAX)
    {
        return NULL;
    }

    peer = cr_alloc(env, sizeof(cr_peer_t));
    if (peer == NULL) {
        return NULL;
    }

    peer->env = *env;
    peer->config = *config;
    peer->handlers = *handlers;
    peer->session = *session;
    peer->state = CR_PEER_NEW;
    peer->now_us = now_us;
    peer->created_us = now_us;
    peer->rtt_us = CR_PEER_RTT_US;

    if (cr_peer_restart(peer, local_ufrag, local_pwd, session->remote_ufrag,
                        session->remote_pwd) != CR_OK)
    {
        cr_peer_destroy(peer);
        return NULL;
    }

    peer->credentials = peer->restart;
    peer->restarting = false;

    peer->dtls = cr_dtls_create(&peer->env, cert, session->dtls_client,
                                session->fingerprint_hash,
                                session->fingerprint,
                                session->fingerprint_len, cr_peer_dtls_send,
                                peer);

    if (peer->dtls == NULL || cr_peer_media_create(peer) != CR_OK) {
        cr_peer_destroy(peer);
        return NULL;
    }

    return peer;
}


void
cr_peer_destroy(cr_peer_t *peer)
{
    cr_env_t  env;

    if (peer == NULL) {
        return;
    }

    cr_peer_media_destroy(peer);
    cr_srtp_destroy(peer->srtp);
    cr_dtls_destroy(peer->dtls);

    env = peer->env;
    cr_free(&env, peer);
}


static void
cr_peer_enter(cr_peer_t *peer, int64_t now_us)
{
    /* a clock that is monotonic for us, whatever the caller's does */
    if (now_us > peer->now_us) {
        peer->now_us = now_us;
    }

    peer->depth++;
}


static void
cr_peer_leave(cr_peer_t *peer)
{
    if (peer->depth == 1 && peer->ending != CR_PEER_ALIVE
        && peer->state != CR_PEER_CLOSED)
    {
        cr_peer_shut(peer);
    }

    peer->depth--;
}


void
cr_peer_end(cr_peer_t *peer, cr_peer_reason_e reason)
{
    if (peer->ending == CR_PEER_ALIVE) {
        peer->ending = reason;
    }
}


static void
cr_peer_shut(cr_peer_t *peer)
{
    if (peer->state == CR_PEER_CONNECTED) {
        cr_peer_media_flush(peer);
        cr_peer_media_clock(peer, true);

        /* RFC 7675 section 5.1: without consent nothing may be sent */
        if (peer->ending != CR_PEER_CONSENT_EXPIRED
            && peer->ending != CR_PEER_BYE)
        {
            cr_peer_rtcp_bye(peer);
            cr_dtls_close(peer->dtls);
        }
    }

    peer->reason = peer->ending;
    cr_peer_set_state(peer, CR_PEER_CLOSED);
}


void
cr_peer_set_state(cr_peer_t *peer, cr_peer_state_e state)
{
    peer->state = state;
    peer->handlers.state(peer->handlers.ctx, state, peer->reason);
}


cr_status_e
cr_peer_input(cr_peer_t *peer, const cr_addr_t *from, uint8_t *data,
    size_t len, int64_t now_us)
{
    cr_status_e  status;

    if (peer->state == CR_PEER_CLOSED) {
        return CR_DECLINED;
    }

    cr_peer_enter(peer, now_us);

    if (cr_stun_is_stun(data, len)) {
        status = cr_peer_ice_input(peer, from, data, len);

        if (status == CR_OK && peer->state == CR_PEER_NEW
            && peer->remote.family != 0)
        {
            cr_peer_dtls_start(peer);
        }

    } else if (cr_dtls_is_dtls(data, len)) {
        status = cr_peer_dtls_input(peer, from, data, len);

    } else if (peer->state != CR_PEER_CONNECTED) {
        status = CR_DECLINED;

    } else if (cr_rtp_is_rtcp(data, len)) {
        status = cr_peer_rtcp_input(peer, data, len);

    } else if (cr_rtp_is_rtp(data, len)) {
        status = cr_peer_media_input(peer, data, len);

    } else {
        status = CR_DECLINED;
    }

    if (status != CR_OK) {
        peer->rejected++;
    }

    cr_peer_leave(peer);

    return status;
}


static void
cr_peer_dtls_start(cr_peer_t *peer)
{
    cr_status_e  status;

    cr_peer_set_state(peer, CR_PEER_CONNECTING);

    status = cr_dtls_start(peer->dtls, peer->now_us);

    cr_peer_dtls_status(peer, status);
}


static cr_status_e
cr_peer_dtls_input(cr_peer_t *peer, const cr_addr_t *from,
    const uint8_t *data, size_t len)
{
    cr_status_e  status;

    /* a forged alert could end a handshake: from proven addresses only */
    if (!cr_peer_ice_path(peer, from)) {
        return CR_DECLINED;
    }

    status = cr_dtls_input(peer->dtls, data, len, peer->now_us);

    cr_peer_dtls_status(peer, status);

    return CR_OK;
}


static void
cr_peer_dtls_status(cr_peer_t *peer, cr_status_e status)
{
    cr_srtp_keys_t  keys;

    switch (status) {

    case CR_AGAIN:
        return;

    case CR_OK:
        break;

    case CR_DECLINED:
        cr_peer_end(peer, CR_PEER_DTLS_CLOSED);
        return;

    case CR_AUTH:
        cr_peer_end(peer, CR_PEER_FINGERPRINT);
        return;

    default:
        cr_peer_end(peer, CR_PEER_DTLS_FAILED);
        return;
    }

    if (peer->state != CR_PEER_CONNECTING) {
        return;
    }

    if (cr_dtls_keys(peer->dtls, &keys) == CR_OK) {
        peer->srtp = cr_srtp_create(&peer->env, &keys);
    }

    if (peer->srtp == NULL) {
        cr_peer_end(peer, CR_PEER_ERROR);
        return;
    }

    cr_peer_rtcp_start(peer);
    cr_peer_set_state(peer, CR_PEER_CONNECTED);
}


static void
cr_peer_dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    cr_peer_t  *peer = ctx;

    peer->handlers.send(peer->handlers.ctx, &peer->remote, data, len);
}


int64_t
cr_peer_timeout(cr_peer_t *peer, int64_t now_us)
{
    int64_t  deadline;

    if (peer->state == CR_PEER_CLOSED) {
        return INT64_MAX;
    }

    cr_peer_enter(peer, now_us);

    if (peer->state == CR_PEER_CONNECTED) {
        if (peer->now_us >= cr_peer_consent_deadline(peer)) {
            cr_peer_end(peer, cr_peer_rtcp_all_bye(peer)
                                  ? CR_PEER_BYE : CR_PEER_CONSENT_EXPIRED);

        } else {
            cr_peer_rtcp_timeout(peer);
        }

    } else if (peer->now_us
               >= peer->created_us + peer->config.connect_timeout_us)
    {
        cr_peer_end(peer, CR_PEER_TIMEOUT);

    } else if (peer->now_us >= cr_dtls_deadline(peer->dtls)) {
        cr_peer_dtls_status(peer, cr_dtls_timeout(peer->dtls, peer->now_us));
    }

    cr_peer_leave(peer);

    deadline = cr_peer_deadline(peer);

    return deadline > peer->now_us + CR_PEER_TICK_US
               ? deadline : peer->now_us + CR_PEER_TICK_US;
}


int64_t
cr_peer_deadline(const cr_peer_t *peer)
{
    switch (peer->state) {

    case CR_PEER_CONNECTED:
        return cr_peer_min(cr_peer_consent_deadline(peer),
                           cr_peer_rtcp_deadline(peer));

    case CR_PEER_CLOSED:
        return INT64_MAX;

    default:
        return cr_peer_min(peer->created_us
                               + peer->config.connect_timeout_us,
                           cr_dtls_deadline(peer->dtls));
    }
}


static int64_t
cr_peer_consent_deadline(const cr_peer_t *peer)
{
    int64_t  timeout;

    timeout = peer->config.consent_timeout_us;

    if (cr_peer_rtcp_all_bye(peer)) {
        timeout = cr_peer_min(timeout, CR_PEER_BYE_GRACE_US);
    }

    return peer->consent_us + timeout;
}


void
cr_peer_request_keyframe(cr_peer_t *peer, unsigned track, bool patient,
    int64_t now_us)
{
    if (peer->state == CR_PEER_CLOSED || track >= peer->ntracks) {
        return;
    }

    cr_peer_enter(peer, now_us);

    if (patient) {
        cr_peer_rtcp_keyframe_patient(&peer->tracks[track]);

    } else {
        cr_peer_rtcp_keyframe(&peer->tracks[track]);
    }

    cr_peer_leave(peer);
}


int64_t
cr_peer_heard_us(const cr_peer_t *peer, unsigned track)
{
    const cr_peer_track_t  *t;

    if (track >= peer->ntracks) {
        return INT64_MIN;
    }

    t = &peer->tracks[track];

    return t->started && !t->bye ? t->packet_us : INT64_MIN;
}


void
cr_peer_close(cr_peer_t *peer, cr_peer_reason_e reason, int64_t now_us)
{
    if (peer->state == CR_PEER_CLOSED) {
        return;
    }

    cr_peer_enter(peer, now_us);
    cr_peer_end(peer, reason == CR_PEER_ALIVE ? CR_PEER_LOCAL : reason);
    cr_peer_leave(peer);
}


cr_peer_state_e
cr_peer_state(const cr_peer_t *peer)
{
    return peer->state;
}


const char *
cr_peer_reason(cr_peer_reason_e reason)
{
    switch (reason) {

    case CR_PEER_ALIVE:
        return "alive";

    case CR_PEER_LOCAL:
        return "closed";

    case CR_PEER_DTLS_CLOSED:
        return "dtls-closed";

    case CR_PEER_DTLS_FAILED:
        return "dtls-failed";

    case CR_PEER_FINGERPRINT:
        return "fingerprint-mismatch";

    case CR_PEER_CONSENT_EXPIRED:
        return "consent-expired";

    case CR_PEER_TIMEOUT:
        return "connect-timeout";

    case CR_PEER_BYE:
        return "bye";

    case CR_PEER_ERROR:
        break;
    }

    return "error";
}
