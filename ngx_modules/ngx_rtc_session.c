
/*
 * Copyright (C) The call recorder authors
 *
 * Sessions of this worker: a peer of src/peer with a timer, and the publisher
 * that its frames go to.
 */


#include "ngx_rtc_module.h"
#include "rtp/rtp.h"


#define NGX_RTC_STATS_US         1000000
#define NGX_RTC_PLI_INTERVAL_US  500000
#define NGX_RTC_BUFFER_MAX       (4 * 1024 * 1024)

/* What is taken a second: retransmissions and keyframes come in bursts. */
#define NGX_RTC_RATE_US          1000000
#define NGX_RTC_RATE_VIDEO       4           /* times max_bitrate */
#define NGX_RTC_RATE_AUDIO       1000000     /* bits per second */


/* NGX_CALLREC_MSG_SESSION; the credentials only with TELL_RESTART. */
typedef struct {
    ngx_uint_t  op;
    char        id[CR_ID_MAX + 1];
    char        ufrag[NGX_RTC_UFRAG_LEN + 1];
    char        pwd[NGX_RTC_PWD_LEN + 1];
    char        remote_ufrag[CR_ICE_UFRAG_MAX + 1];
    char        remote_pwd[CR_ICE_PWD_MAX + 1];
} ngx_rtc_tell_t;


static ngx_queue_t *ngx_rtc_session_bucket(ngx_rtc_worker_t *w,
    const char *id);
static ngx_uint_t ngx_rtc_session_policed(ngx_rtc_conf_t *rcf,
    ngx_rtc_session_t *s, int64_t now_us);
static void ngx_rtc_session_settle(ngx_event_t *ev);
static void ngx_rtc_session_after(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    int64_t deadline_us, int64_t now_us);
static void ngx_rtc_session_stats(ngx_rtc_session_t *s);
static void ngx_rtc_session_free(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s);
static void ngx_rtc_session_restart_with(ngx_rtc_session_t *s,
    const char *ufrag, const char *pwd, const char *remote_ufrag,
    const char *remote_pwd);
static void ngx_rtc_session_connected(ngx_rtc_session_t *s);
static void ngx_rtc_session_keyframe(void *ctx, ngx_uint_t track,
    ngx_uint_t patient);
static int64_t ngx_rtc_session_heard(void *ctx, ngx_uint_t track);

static void ngx_rtc_on_send(void *ctx, const cr_addr_t *to,
    const uint8_t *data, size_t len);
static void ngx_rtc_on_state(void *ctx, cr_peer_state_e state,
    cr_peer_reason_e reason);
static void ngx_rtc_on_frame(void *ctx, const cr_frame_t *frame);
static void ngx_rtc_on_clock(void *ctx, const cr_clock_event_t *event);
static void ngx_rtc_on_gap(void *ctx, const cr_gap_event_t *event);


void
ngx_rtc_session_init(ngx_rtc_worker_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_RTC_SESSION_BUCKETS; i++) {
        ngx_queue_init(&w->sessions[i]);
    }

    ngx_queue_init(&w->unsettled);

    w->settle.handler = ngx_rtc_session_settle;
    w->settle.data = w;
    w->settle.log = ngx_cycle->log;
}


ngx_rtc_session_t *
ngx_rtc_session_open(ngx_rtc_conf_t *rcf, const ngx_rtc_record_t *rec)
{
    int64_t             now_us;
    cr_peer_config_t    config;
    ngx_rtc_worker_t   *w;
    ngx_rtc_session_t  *s;
    cr_peer_handlers_t  handlers;

    w = rcf->worker;
    now_us = ngx_callrec_now_us();

    s = ngx_calloc(sizeof(ngx_rtc_session_t), ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    s->info = rec->info;
    s->sdp = rec->sdp;
    ngx_memcpy(s->ufrag, rec->ufrag, sizeof(s->ufrag));
    ngx_queue_init(&s->routes);

    ngx_memzero(&config, sizeof(cr_peer_config_t));

    config.connect_timeout_us = (int64_t) rcf->connect_timeout * 1000;
    config.consent_timeout_us = (int64_t) rcf->session_timeout * 1000;
    config.give_up_us = (int64_t) rcf->nack_timeout * 1000;
    config.nack_interval_us = (int64_t) rcf->nack_interval * 1000;
    config.nack_list = (uint32_t) rcf->nack_list;
    config.pli_interval_us = NGX_RTC_PLI_INTERVAL_US;
    config.max_bitrate = (uint32_t) rcf->max_bitrate;
    config.buffer_max = NGX_RTC_BUFFER_MAX;

    handlers.send = ngx_rtc_on_send;
    handlers.state = ngx_rtc_on_state;
    handlers.frame = ngx_rtc_on_frame;
    handlers.clock = ngx_rtc_on_clock;
    handlers.gap = ngx_rtc_on_gap;
    handlers.ctx = s;

    s->peer = cr_peer_create(&ngx_callrec_env, w->cert, &s->sdp, rec->ufrag,
                             rec->pwd, &config, &handlers, now_us);
    if (s->peer == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no memory for rtc session %s", s->info.session_id);
        ngx_free(s);
        return NULL;
    }

    s->stats_us = now_us + NGX_RTC_STATS_US;

    ngx_queue_insert_head(ngx_rtc_session_bucket(w, s->info.session_id),
                          &s->queue);
    w->nsessions++;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rtc session %s adopted, call: %s, participant: %s",
                  s->info.session_id, s->info.call_id,
                  s->info.participant_id);

    return s;
}


ngx_rtc_session_t *
ngx_rtc_session_by_id(ngx_rtc_worker_t *w, const char *id)
{
    ngx_queue_t        *q, *bucket;
    ngx_rtc_session_t  *s;

    bucket = ngx_rtc_session_bucket(w, id);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_rtc_session_t, queue);

        if (ngx_strcmp(s->info.session_id, id) == 0) {
            return s;
        }
    }

    return NULL;
}


void
ngx_rtc_session_input(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    const ngx_rtc_path_t *path, u_char *data, size_t len, int64_t now_us)
{
    ngx_uint_t         media;
    cr_status_e        status;
    ngx_rtc_worker_t  *w;

    media = cr_rtp_is_rtp(data, len) && !cr_rtp_is_rtcp(data, len);

    if (media && ngx_rtc_session_policed(rcf, s, now_us)) {
        return;
    }

    s->path = path;
    s->busy = 1;

    status = cr_peer_input(s->peer, &path->remote, data, len, now_us);

    s->busy = 0;
    s->path = NULL;

    if (status == CR_OK) {
        ngx_rtc_route_learn(rcf, s, path);

        /* others' datagrams do not use up what it may send */

        if (media) {
            s->second_bytes += len;
            s->tcp = (path->tcp != NULL);
        }
    }

    /* many datagrams of a session are read at once */

    if (s->unsettled) {
        return;
    }

    w = rcf->worker;

    s->unsettled = 1;
    ngx_queue_insert_tail(&w->unsettled, &s->settle);

    if (!w->settle.posted) {
        ngx_post_event(&w->settle, &ngx_posted_events);
    }
}


static void
ngx_rtc_session_settle(ngx_event_t *ev)
{
    int64_t             now_us;
    ngx_queue_t        *q;
    ngx_rtc_worker_t   *w;
    ngx_rtc_session_t  *s;

    w = ev->data;
    now_us = ngx_callrec_now_us();

    while (!ngx_queue_empty(&w->unsettled)) {
        q = ngx_queue_head(&w->unsettled);
        s = ngx_queue_data(q, ngx_rtc_session_t, settle);

        ngx_queue_remove(q);
        s->unsettled = 0;

        ngx_rtc_session_after(ngx_rtc_conf(), s, cr_peer_deadline(s->peer),
                              now_us);
    }
}


static ngx_uint_t
ngx_rtc_session_policed(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    int64_t now_us)
{
    size_t      max;
    ngx_uint_t  i;

    if (rcf->max_bitrate == 0) {
        return 0;
    }

    if (now_us - s->second_us >= NGX_RTC_RATE_US) {
        s->second_us = now_us;
        s->second_bytes = 0;
        return 0;
    }

    max = 0;

    for (i = 0; i < s->sdp.nmedia; i++) {
        max += (s->sdp.media[i].kind == CR_KIND_VIDEO)
               ? rcf->max_bitrate / 8 * NGX_RTC_RATE_VIDEO
               : NGX_RTC_RATE_AUDIO / 8;
    }

    if (s->second_bytes < max) {
        return 0;
    }

    if (s->policed++ == 0) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rtc session %s sends more than %uz bytes a second, "
                      "the rest is dropped", s->info.session_id, max);
    }

    return 1;
}


void
ngx_rtc_session_restarted(ngx_rtc_session_t *s, const ngx_rtc_record_t *rec)
{
    ngx_rtc_session_restart_with(s, rec->ufrag, rec->pwd,
                                 rec->sdp.remote_ufrag,
                                 rec->sdp.remote_pwd);
}


void
ngx_rtc_session_end(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s)
{
    int64_t  now_us;

    now_us = ngx_callrec_now_us();

    s->busy = 1;
    cr_peer_close(s->peer, CR_PEER_LOCAL, now_us);
    s->busy = 0;

    ngx_rtc_session_free(rcf, s);
}


void
ngx_rtc_session_end_all(ngx_rtc_conf_t *rcf)
{
    ngx_uint_t          i;
    ngx_queue_t        *q;
    ngx_rtc_worker_t   *w;

    w = rcf->worker;

    for (i = 0; i < NGX_RTC_SESSION_BUCKETS; i++) {
        while (!ngx_queue_empty(&w->sessions[i])) {
            q = ngx_queue_head(&w->sessions[i]);
            ngx_rtc_session_end(rcf, ngx_queue_data(q, ngx_rtc_session_t,
                                                    queue));
        }
    }
}


void
ngx_rtc_session_sweep(ngx_rtc_conf_t *rcf)
{
    ngx_uint_t          i;
    ngx_queue_t        *q, *next;
    ngx_rtc_record_t    rec;
    ngx_rtc_worker_t   *w;
    ngx_rtc_session_t  *s;

    w = rcf->worker;

    for (i = 0; i < NGX_RTC_SESSION_BUCKETS; i++) {
        for (q = ngx_queue_head(&w->sessions[i]);
             q != ngx_queue_sentinel(&w->sessions[i]);
             q = next)
        {
            next = ngx_queue_next(q);
            s = ngx_queue_data(q, ngx_rtc_session_t, queue);

            if (ngx_rtc_dir_get(rcf, s->info.session_id, &rec) != NGX_OK) {

                /* the message about it may still be on its way */

                if (s->forgotten) {
                    ngx_rtc_session_end(rcf, s);

                } else {
                    s->forgotten = 1;
                }

            } else if (ngx_strcmp(rec.ufrag, s->ufrag) != 0) {
                ngx_rtc_session_restarted(s, &rec);
            }
        }
    }
}


ngx_int_t
ngx_rtc_session_tell(ngx_pid_t owner, ngx_uint_t op,
    const ngx_rtc_record_t *rec, ngx_log_t *log)
{
    ngx_rtc_tell_t  tell;

    ngx_memzero(&tell, sizeof(ngx_rtc_tell_t));

    tell.op = op;
    ngx_memcpy(tell.id, rec->info.session_id, sizeof(tell.id));

    if (op == NGX_RTC_TELL_RESTART) {
        ngx_memcpy(tell.ufrag, rec->ufrag, sizeof(tell.ufrag));
        ngx_memcpy(tell.pwd, rec->pwd, sizeof(tell.pwd));
        ngx_memcpy(tell.remote_ufrag, rec->sdp.remote_ufrag,
                   sizeof(tell.remote_ufrag));
        ngx_memcpy(tell.remote_pwd, rec->sdp.remote_pwd,
                   sizeof(tell.remote_pwd));
    }

    return ngx_callrec_msg_send(owner, NGX_CALLREC_MSG_SESSION, &tell,
                                sizeof(ngx_rtc_tell_t), log);
}


void
ngx_rtc_session_message(ngx_pid_t from, u_char *data, size_t len)
{
    ngx_rtc_conf_t     *rcf;
    ngx_rtc_tell_t      tell;
    ngx_rtc_session_t  *s;

    if (len != sizeof(ngx_rtc_tell_t)) {
        return;
    }

    ngx_memcpy(&tell, data, sizeof(ngx_rtc_tell_t));

    rcf = ngx_rtc_conf();

    if (tell.op == NGX_RTC_TELL_CLOSE) {

        /* its last datagrams may wait to be polled */

        (void) ngx_rtc_udp_poll(rcf);
    }

    s = ngx_rtc_session_by_id(rcf->worker, tell.id);

    if (s == NULL) {
        return;
    }

    switch (tell.op) {

    case NGX_RTC_TELL_CLOSE:
        ngx_rtc_session_end(rcf, s);
        break;

    case NGX_RTC_TELL_RESTART:
        ngx_rtc_session_restart_with(s, tell.ufrag, tell.pwd,
                                     tell.remote_ufrag, tell.remote_pwd);
        break;
    }
}


static ngx_queue_t *
ngx_rtc_session_bucket(ngx_rtc_worker_t *w, const char *id)
{
    return &w->sessions[ngx_murmur_hash2((u_char *) id, ngx_strlen(id))
                        % NGX_RTC_SESSION_BUCKETS];
}


void
ngx_rtc_session_due(ngx_rtc_session_t *s, int64_t now_us)
{
    int64_t  deadline_us;

    s->busy = 1;
    deadline_us = cr_peer_timeout(s->peer, now_us);
    s->busy = 0;

    ngx_rtc_session_after(ngx_rtc_conf(), s, deadline_us, now_us);
}


/* What the peer's callbacks left to do, and the next deadline. */

static void
ngx_rtc_session_after(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s,
    int64_t deadline_us, int64_t now_us)
{
    ngx_uint_t  track;

    if (s->refused && !s->closed) {
        ngx_rtc_session_end(rcf, s);
        return;
    }

    if (s->closed) {
        ngx_rtc_session_free(rcf, s);
        return;
    }

    for (track = 0; s->keyframes != 0; track++) {
        if (s->keyframes & 1) {
            cr_peer_request_keyframe(s->peer, (unsigned) track,
                                     !(s->keyframes_soon & 1), now_us);
            deadline_us = cr_peer_deadline(s->peer);
        }

        s->keyframes >>= 1;
        s->keyframes_soon >>= 1;
    }

    if (now_us >= s->stats_us) {
        ngx_rtc_session_stats(s);
        s->stats_us = now_us + NGX_RTC_STATS_US;
    }

    deadline_us = ngx_min(deadline_us, s->stats_us);

    /* one that is due too early just comes here again */

    if (s->waiting && s->due_us <= deadline_us) {
        return;
    }

    s->due_us = deadline_us;
    ngx_rtc_tick_add(rcf->worker, s, deadline_us);
}


static void
ngx_rtc_session_stats(ngx_rtc_session_t *s)
{
    cr_peer_stats_t                  peer;
    ngx_recording_publisher_stats_t  stats;

    if (s->publisher == NULL) {
        return;
    }

    if (s->tcp_said != s->tcp) {
        s->tcp_said = s->tcp;

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "rtc session %s goes on over %s", s->info.session_id,
                      s->tcp ? "tcp" : "udp");
    }

    cr_peer_stats(s->peer, &peer);

    stats.packets = peer.packets;
    stats.bytes = peer.bytes;
    stats.lost = peer.lost;
    stats.recovered = peer.recovered;
    stats.given_up = peer.given_up;

    ngx_recording_publisher_stats(s->publisher, &stats);
}


static void
ngx_rtc_session_free(ngx_rtc_conf_t *rcf, ngx_rtc_session_t *s)
{
    cr_peer_stats_t  stats;

    cr_peer_stats(s->peer, &stats);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rtc session %s ended: %s, packets: %uL, lost: %uL, "
                  "recovered: %uL, given up: %uL, frames: %uL, "
                  "rejected: %uL, NACKs: %uL, PLIs: %uL, over the rate: %uL",
                  s->info.session_id, cr_peer_reason(s->reason),
                  stats.packets, stats.lost, stats.recovered,
                  stats.given_up, stats.frames, stats.rejected, stats.nacks,
                  stats.plis, s->policed);

    if (s->publisher != NULL) {
        ngx_rtc_session_stats(s);
        ngx_recording_publisher_close(s->publisher,
                                      cr_peer_reason(s->reason));
    }

    (void) ngx_rtc_dir_remove(rcf, s->info.session_id, ngx_pid, NULL);
    ngx_rtc_route_forget(rcf->worker, s);

    ngx_queue_remove(&s->queue);
    rcf->worker->nsessions--;

    ngx_rtc_tick_remove(rcf->worker, s);

    if (s->unsettled) {
        ngx_queue_remove(&s->settle);
    }

    cr_peer_destroy(s->peer);
    ngx_free(s);
}


static void
ngx_rtc_session_restart_with(ngx_rtc_session_t *s, const char *ufrag,
    const char *pwd, const char *remote_ufrag, const char *remote_pwd)
{
    if (cr_peer_restart(s->peer, ufrag, pwd, remote_ufrag, remote_pwd)
        != CR_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "rtc session %s could not restart ICE",
                      s->info.session_id);
        return;
    }

    ngx_memcpy(s->ufrag_before, s->ufrag, sizeof(s->ufrag));
    ngx_memcpy(s->ufrag, ufrag, sizeof(s->ufrag));
}


static void
ngx_rtc_session_connected(ngx_rtc_session_t *s)
{
    ngx_recording_publisher_handlers_t  handlers;

    ngx_rtc_dir_connected(ngx_rtc_conf(), s->info.session_id);

    handlers.request_keyframe = ngx_rtc_session_keyframe;
    handlers.heard = ngx_rtc_session_heard;
    handlers.ctx = s;

    s->publisher = ngx_recording_publisher_open(&s->info, s->sdp.media,
                                                s->sdp.nmedia, &handlers,
                                                ngx_cycle->log);

    if (s->publisher == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "rtc session %s has no place in the recorder",
                      s->info.session_id);
        s->refused = 1;
        return;
    }

    s->tcp = (s->path != NULL && s->path->tcp != NULL);
    s->tcp_said = s->tcp;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "rtc session %s connected over %s", s->info.session_id,
                  s->tcp ? "tcp" : "udp");
}


static void
ngx_rtc_session_keyframe(void *ctx, ngx_uint_t track, ngx_uint_t patient)
{
    ngx_rtc_session_t *s = ctx;

    int64_t  now_us;

    if (s->closed || track >= CR_TRACK_MAX) {
        return;
    }

    if (s->busy) {

        /* called out of a frame: the peer is in the middle of something */

        s->keyframes |= (uint32_t) 1 << track;

        if (!patient) {
            s->keyframes_soon |= (uint32_t) 1 << track;
        }

        return;
    }

    now_us = ngx_callrec_now_us();

    cr_peer_request_keyframe(s->peer, (unsigned) track, patient, now_us);

    ngx_rtc_session_after(ngx_rtc_conf(), s, cr_peer_deadline(s->peer),
                          now_us);
}


static int64_t
ngx_rtc_session_heard(void *ctx, ngx_uint_t track)
{
    ngx_rtc_session_t *s = ctx;

    return cr_peer_heard_us(s->peer, (unsigned) track);
}


static void
ngx_rtc_on_send(void *ctx, const cr_addr_t *to, const uint8_t *data,
    size_t len)
{
    ngx_rtc_session_t *s = ctx;

    const ngx_rtc_path_t  *path;

    path = s->path;

    if (path == NULL || !cr_addr_equal(&path->remote, to)) {
        path = ngx_rtc_route_path(s, to);
    }

    if (path == NULL) {
        return;
    }

    if (path->tcp != NULL) {
        ngx_rtc_tcp_send(path->tcp, data, len);

    } else {
        ngx_rtc_udp_send(path, to, data, len, ngx_cycle->log);
    }
}


static void
ngx_rtc_on_state(void *ctx, cr_peer_state_e state, cr_peer_reason_e reason)
{
    ngx_rtc_session_t *s = ctx;

    switch (state) {

    case CR_PEER_CONNECTED:
        ngx_rtc_session_connected(s);
        break;

    case CR_PEER_CLOSED:
        s->closed = 1;
        s->reason = reason;
        break;

    default:
        break;
    }
}


static void
ngx_rtc_on_frame(void *ctx, const cr_frame_t *frame)
{
    ngx_rtc_session_t *s = ctx;

    if (s->publisher != NULL) {
        ngx_recording_publisher_frame(s->publisher, frame);
    }
}


static void
ngx_rtc_on_clock(void *ctx, const cr_clock_event_t *event)
{
    ngx_rtc_session_t *s = ctx;

    if (s->publisher != NULL) {
        ngx_recording_publisher_clock(s->publisher, event);
    }
}


static void
ngx_rtc_on_gap(void *ctx, const cr_gap_event_t *event)
{
    ngx_rtc_session_t *s = ctx;

    if (s->publisher != NULL) {
        ngx_recording_publisher_gap(s->publisher, event);
    }
}
