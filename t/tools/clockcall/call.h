
/*
 * Copyright (C) The call recorder authors
 *
 * A call of many minutes in simulated time: publishers with clocks that
 * drift, each through a whole cr_peer_t, into a recording's folder.
 *
 *   main.c     who takes part, and the run of time
 *   sender.c   a publisher: ICE, DTLS, SRTP, RTP, sender reports
 *   network.c  datagrams under way, in the order of their arrival
 *   folder.c   frames and events to chunk files and the journal
 */

#ifndef CR_CALL_H
#define CR_CALL_H


#include "peer/peer.h"
#include "publisher.h"
#include "recording/journal.h"
#include "chunk/chunk.h"


/* The recorder's monotonic clock when the recording begins. */
#define CALL_START_US    5000000000

#define CALL_PT_RTX      97
#define CALL_EXT_TWCC    3
#define CALL_EXT_MID     4
#define CALL_EXT_ACT     6
#define CALL_HISTORY     2048


/* What is different about a publisher. */
typedef struct {
    const char  *id;
    int          ppm[2];            /* of its sound's and video's clocks */
    int          ntp_ppm;           /* of its wall clock */
    int64_t      joins_us;          /* after the start */
    bool         no_reports;        /* no sender report ever */
    bool         capture_time;      /* abs-capture-time, and no reports */
    int64_t      delay_us;          /* of its network */
    int64_t      queue_us;          /* a queue of up to so much on its way */
    unsigned     loss;              /* per mille, of datagrams */
    unsigned     reorder;           /* per mille, that others overtake */
    /* the wall clock is set */
    int64_t      step_at_us;
    int64_t      step_us;
    /* the microphone is another one: nothing for a while, then its time
     * stamps go on where they were */
    int64_t      stall_at_us;
    int64_t      stall_us;
    /* nothing at all is sent for a while; time stamps stand still */
    int64_t      pause_at_us;
    int64_t      pause_us;
    /* another SSRC, another base of time stamps */
    int64_t      switch_at_us;
    /* sound says nothing, time stamps go on: DTX */
    int64_t      mute_at_us;
    int64_t      mute_us;
} scenario_t;


/* network.c */
typedef struct {
    int64_t   due_us;
    uint64_t  order;
    bool      to_peer;
    size_t    len;
    uint8_t   data[1600];
} datagram_t;

typedef struct {
    datagram_t  **heap;
    size_t        n, size;
    uint64_t      sent;
    uint64_t      random;
    int64_t       queue_at_us;      /* of the queue's next aim */
    int64_t       queue_from;
    int64_t       queue_to;
} network_t;

uint32_t network_random(network_t *net, uint32_t n);
void network_send(network_t *net, const scenario_t *s, bool to_peer,
    const uint8_t *data, size_t len, int64_t now_us);
int64_t network_due(const network_t *net);
/* The next one, to be freed. */
datagram_t *network_take(network_t *net);
void network_done(network_t *net);


/* folder.c */
typedef struct {
    const char              *dir;
    const char              *id;
    const cr_env_t          *env;
    int64_t                 *now_us;
    cr_chunk_policy_t        policy;
    cr_chunk_writer_t       *writer;
    FILE                    *file;
    FILE                    *journal;
    cr_media_params_t        audio;
    unsigned                 nchunks;
    uint64_t                 nframes;
    int64_t                  start_ms, end_ms;
    uint16_t                 width, height;
    unsigned                 nheld;
    cr_frame_t               held[64];
} folder_t;

void folder_open(folder_t *f, const scenario_t *s, const char *dir,
    const cr_env_t *env, int64_t *now_us, const cr_media_params_t *media,
    unsigned nmedia, FILE *journal, int64_t chunk_us);
void folder_frame(folder_t *f, const cr_frame_t *frame);
void folder_clock(folder_t *f, const cr_clock_event_t *event);
void folder_gap(folder_t *f, const cr_gap_event_t *event);
void folder_close(folder_t *f);
void folder_write(folder_t *f, const cr_journal_record_t *rec);


/* sender.c */
typedef struct {
    uint32_t      ssrc;
    uint32_t      timestamp;
    uint16_t      seq;
    unsigned      next;             /* frame */
    int64_t       capture_us;       /* of that */
    int64_t       due_us;           /* when it is sent */
    int64_t       frame_us;         /* by its own clock */
    int64_t       shift_us;         /* its clock stood still for so long */
    int64_t       report_us;
    int64_t       act_us;
    packet_t     *history;
    uint16_t     *head;             /* of each packet's */
    cr_codec_e    codec;
} track_t;

typedef struct {
    const scenario_t  *s;
    cr_env_t           env;
    network_t          net;
    int64_t            now_us;      /* of the recorder's monotonic clock */
    int64_t            end_us;
    cr_dtls_cert_t    *cert, *peer_cert;
    cr_sdp_session_t   session;
    cr_peer_t         *peer;
    cr_dtls_t         *dtls;
    cr_srtp_t         *srtp;
    bool               greeted;
    int64_t            stun_us;
    cr_addr_t          addr;
    const media_t     *media;       /* sound, pictures */
    track_t            tracks[2];
    bool               switched;
    uint16_t           twcc_seq, rtx_seq, picture_id;
    unsigned           which;       /* of the packet under way */
    FILE              *truth;
    folder_t           folder;
} sender_t;

void sender_run(sender_t *p);
void sender_die(const char *what);


#endif /* CR_CALL_H */
