
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of the peer share.
 *
 *   peer.c        life, the ladder from datagrams to protocols, deadlines
 *   peer_ice.c    STUN requests: credentials, paths, nomination
 *   peer_whose.c  RTP: which track a packet is of
 *   peer_media.c  RTP: order, frames, media time
 *   peer_gap.c    what was lost for good
 *   peer_lead.c   what came before the first packet that arrived
 *   peer_red.c    sound with redundancy
 *   peer_dependency.c  which pictures need a missing one
 *   peer_fec.c    video with forward error correction
 *   peer_remb.c   when packets were sent, of a sender that is told its rate
 *   peer_rtcp.c   RTCP: what senders report, what we ask for
 *   peer_try.c    NACK for sound that did not offer it
 */

#ifndef CR_PEER_CORE_H
#define CR_PEER_CORE_H


#include "depay/depay.h"
#include "peer/peer.h"
#include "rtp/clock.h"
#include "rtp/dependency.h"
#include "rtp/remb.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/stream.h"
#include "rtp/twcc.h"
#include "rtp/ulpfec.h"
#include "srtp/srtp.h"


#define CR_PEER_PATH_MAX   8
/* what src/srtp takes */
#define CR_PEER_SSRC_MAX   64

/* until a retransmission was measured */
#define CR_PEER_RTT_US     100000


typedef struct {
    char  local_ufrag[CR_ICE_UFRAG_MAX + 1];
    char  local_pwd[CR_ICE_PWD_MAX + 1];
    char  remote_ufrag[CR_ICE_UFRAG_MAX + 1];
    char  remote_pwd[CR_ICE_PWD_MAX + 1];
} cr_peer_credentials_t;


/* Whose packets those of an SSRC are. */
typedef struct {
    uint32_t  ssrc;
    uint8_t   track;
    bool      rtx;
} cr_peer_ssrc_t;


#define CR_PEER_DEPENDENCY_FRAMES  64

/* What is known of a video's pictures by their descriptors. */
typedef struct {
    bool                       known;        /* the last packet had one */
    bool                       doubt;        /* since a hole: who needs it? */
    bool                       whole;        /* so far, the frame of: */
    uint16_t                   number;
    uint64_t                   shown;        /* a bit for each of: */
    uint16_t                   numbers[CR_PEER_DEPENDENCY_FRAMES];
    cr_dependency_structure_t  structure;
} cr_peer_dependency_t;


/* Whether packets are asked for again, see peer_try.c. */
typedef enum {
    CR_PEER_NACK_NO,
    CR_PEER_NACK_TRIED,
    CR_PEER_NACK_YES
} cr_peer_nack_e;


typedef struct {
    cr_peer_t                *peer;
    const cr_media_params_t  *params;
    uint8_t                   layer;         /* of simulcast, else 0 */
    uint8_t                   index;
    cr_depay_t               *depay;

    cr_rtp_stream_t          *stream;        /* NULL: no packet yet */
    bool                      started;       /* had one ever */
    uint32_t                  ssrc;          /* of stream */
    int64_t                   packet_us;     /* the last one's arrival */
    bool                      bye;           /* ssrc said BYE */
    cr_rtp_stream_stats_t     former;        /* of SSRCs before this one */

    cr_track_clock_t          clock;
    int64_t                   frame_us;      /* media time, of the last frame */
    int64_t                   end_us;        /* of its end, as far as known */
    int64_t                   interval_us;   /* between two of video */
    bool                      gap;           /* something is missing since */
    bool                      gap_inside;    /* the frame in the making, of: */
    uint32_t                  gap_timestamp;
    int64_t                   gap_from_us;
    uint32_t                  gap_packets;   /* given up in it */
    uint16_t                  rotation;
    bool                      has_level;     /* of the packet: */
    uint8_t                   level;         /* RFC 6464's byte */
    uint64_t                  frames;

    cr_peer_nack_e            nack;
    uint8_t                   nack_answers;
    uint8_t                   nack_holes;

    bool                      leading;       /* its start is asked for */
    uint16_t                  lead_seq;      /* of the earliest here */
    uint32_t                  lead_timestamp;
    uint16_t                  lead_left;     /* may be asked for in all */

    bool                      red_seen;      /* sound was handed out, of: */
    uint32_t                  red_timestamp;
    uint64_t                  red_repaired;  /* packets given up, and had */

    bool                      keyframe_lacks;     /* to what is popped */
    bool                      keyframe_doubt;     /* the next frame tells */
    cr_peer_dependency_t     *dependency;    /* NULL: none */
    cr_ulpfec_t              *fec;           /* NULL: none */
    uint32_t                  fec_gap;       /* given up: parity alone? */
    uint64_t                  fec_lost;      /* it was */

    bool                      keyframe_due;       /* to be asked for */
    bool                      keyframe_patient;   /* holes may hold it, */
    int64_t                   keyframe_since_us;
    bool                      keyframe_awaited;   /* was asked for */
    bool                      keyframe_seen;
    bool                      keyframe_asked;     /* ever, at: */
    int64_t                   keyframe_asked_us;
    uint8_t                   fir_seq;

    bool                      probing;       /* a NACK's round trip */
    bool                      probe_again;   /* asked more than once */
    uint16_t                  probe_seq;
    int64_t                   probe_us;      /* first asked */
    uint16_t                  asked_seq;     /* the newest */
} cr_peer_track_t;


struct cr_peer_s {
    cr_env_t                env;
    cr_peer_config_t        config;
    cr_peer_handlers_t      handlers;
    cr_sdp_session_t        session;

    cr_peer_state_e         state;
    cr_peer_reason_e        reason;
    /* Calls into the peer that are under way; it ends when the last one
     * returns, for this reason. */
    unsigned                depth;
    cr_peer_reason_e        ending;

    int64_t                 now_us;
    int64_t                 created_us;
    int64_t                 consent_us;      /* last proof that it is there */

    /* ICE */
    cr_peer_credentials_t   credentials;
    cr_peer_credentials_t   restart;         /* take over when first used */
    bool                    restarting;
    bool                    nominated;
    cr_addr_t               remote;          /* where we send */
    cr_addr_t               paths[CR_PEER_PATH_MAX];    /* latest first */
    unsigned                npaths;

    cr_dtls_t              *dtls;
    cr_srtp_t              *srtp;

    /* media */
    unsigned                ntracks;
    cr_peer_track_t        *tracks;
    unsigned                nssrcs;
    cr_peer_ssrc_t          ssrcs[CR_PEER_SSRC_MAX];
    cr_sender_clock_t       sender;

    /* RTCP */
    uint32_t                ssrc;            /* ours */
    char                    cname[9];
    int64_t                 report_us;       /* when the next is due */
    int64_t                 report_interval_us;
    cr_twcc_t               twcc;
    uint8_t                 twcc_ext;        /* 0: not negotiated */
    bool                    remb;
    bool                    remb_due;        /* before the next report */
    uint8_t                 send_time_ext;   /* 0: not negotiated */
    uint8_t                 remb_track;      /* then its video's, of: */
    uint32_t                remb_ssrc;
    cr_remb_t               estimate;
    int64_t                 twcc_us;         /* when the next is due */
    int64_t                 rtt_us;
    bool                    rtt_known;

    uint64_t                plis;
    uint64_t                rejected;
};


/* Ends the peer when the outermost call into it returns. */
void cr_peer_end(cr_peer_t *peer, cr_peer_reason_e reason);
void cr_peer_set_state(cr_peer_t *peer, cr_peer_state_e state);


/* peer_ice.c */
cr_status_e cr_peer_ice_input(cr_peer_t *peer, const cr_addr_t *from,
    const uint8_t *data, size_t len);
/* Whether a valid STUN request came from there. */
bool cr_peer_ice_path(const cr_peer_t *peer, const cr_addr_t *from);


/* peer_whose.c */
/* Of what was negotiated for the track, its SSRCs. */
void cr_peer_whose_signalled(cr_peer_track_t *track);
/* NULL: it cannot be told, or nobody's. */
const cr_peer_ssrc_t *cr_peer_whose(cr_peer_t *peer, const cr_rtp_t *rtp);


/* peer_media.c */
cr_status_e cr_peer_media_create(cr_peer_t *peer);
void cr_peer_media_destroy(cr_peer_t *peer);
cr_status_e cr_peer_media_input(cr_peer_t *peer, uint8_t *data, size_t len);
/* Takes out what is in order, or has been given up by now. */
void cr_peer_media_pop(cr_peer_track_t *track);
/* packets is 0 when nobody knows whether there were any. */
void cr_peer_media_gap(cr_peer_track_t *track, uint32_t packets);
void cr_peer_media_flush(cr_peer_t *peer);
/* Tells what the clocks learnt; at_end: whatever they know so far. */
void cr_peer_media_clock(cr_peer_t *peer, bool at_end);


/* peer_gap.c */
/* Packets are given up, before the depacketiser hears of it; 0: nobody knows
 * whether there were any. */
void cr_peer_gap_packets(cr_peer_track_t *track, uint32_t packets);
/* A frame comes out, before it is handed on. */
void cr_peer_gap_frame(cr_peer_track_t *track, const cr_frame_t *frame);
/* Nothing follows any more. */
void cr_peer_gap_end(cr_peer_track_t *track);


/* peer_lead.c */
/* A stream was made. */
void cr_peer_lead_start(cr_peer_track_t *track, const cr_rtp_t *first);
/* It took a packet, and nothing was handed out yet. */
void cr_peer_lead_packet(cr_peer_track_t *track, const cr_rtp_t *rtp);


/* peer_red.c */
/* A packet of the RED type, in order: its blocks go to the depacketiser. */
void cr_peer_red_packet(cr_peer_track_t *track,
    const cr_depay_packet_t *packet);
/* Sound up to this packet was handed out. */
void cr_peer_red_seen(cr_peer_track_t *track, uint32_t timestamp);


/* peer_dependency.c */
/* CR_NOMEM, or what the track needs is there. */
cr_status_e cr_peer_dependency_create(cr_peer_track_t *track);
/* A packet of media, in order. */
void cr_peer_dependency_packet(cr_peer_track_t *track,
    const cr_rtp_item_t *item);
/* true: whether a hole needs a keyframe will be seen by what follows. */
bool cr_peer_dependency_gap(cr_peer_track_t *track);
void cr_peer_dependency_reset(cr_peer_track_t *track);


/* peer_fec.c */
/* CR_NOMEM, or what the track's FEC needs is there. */
cr_status_e cr_peer_fec_create(cr_peer_track_t *track);
/* Whether a type is one of repetitions. */
bool cr_peer_fec_is_rtx(const cr_media_params_t *params, uint8_t pt);
/* A repetition into the packet that was lost, which may be one of RED. */
cr_status_e cr_peer_fec_unwrap_rtx(const cr_peer_track_t *track,
    cr_rtp_t *rtp);
/* Takes the packet of a video, data of len, out of RED. */
cr_status_e cr_peer_fec_input(cr_peer_track_t *track, cr_rtp_t *rtp,
    const uint8_t *data, size_t len, bool rtx);
/* What can be worked out by now comes into the stream. */
void cr_peer_fec_recover(cr_peer_track_t *track);
/*
 * Lost parity is not sent again, and a hole does not say whose it is.  true:
 * the gap waits for what comes behind it; _end() is called with that payload
 * (NULL: nothing comes), and a frame that follows the last one closes it.
 */
bool cr_peer_fec_gap(cr_peer_track_t *track, uint32_t packets);
/* Whether what is waited for can only be parity, which nobody sends again:
 * then it is waited for no more. */
bool cr_peer_fec_skip(cr_peer_track_t *track);
void cr_peer_fec_gap_end(cr_peer_track_t *track, const cr_slice_t *payload);


/* peer_remb.c */
/* A packet of len came, of a track or repeated for it. */
void cr_peer_remb_packet(cr_peer_t *peer, const cr_peer_track_t *track,
    const cr_rtp_t *rtp, size_t len, bool rtx);


/* peer_rtcp.c */
void cr_peer_rtcp_start(cr_peer_t *peer);
cr_status_e cr_peer_rtcp_input(cr_peer_t *peer, uint8_t *data, size_t len);
void cr_peer_rtcp_timeout(cr_peer_t *peer);
int64_t cr_peer_rtcp_deadline(const cr_peer_t *peer);
/* A keyframe is wanted: now if the floor allows, else when it is over. */
void cr_peer_rtcp_keyframe(cr_peer_track_t *track);
/* The same, when nothing is missing any more or patience ends. */
void cr_peer_rtcp_keyframe_patient(cr_peer_track_t *track);
/* How long a packet is waited for, as the round trip is now. */
int64_t cr_peer_rtcp_give_up(const cr_peer_t *peer);
/* A packet came that may answer a NACK. */
void cr_peer_rtcp_probe(cr_peer_track_t *track, uint16_t seq);
void cr_peer_rtcp_bye(cr_peer_t *peer);
/* Whether all that was heard has said BYE. */
bool cr_peer_rtcp_all_bye(const cr_peer_t *peer);


/* peer_try.c */
/* A stream of the track is about to be made. */
void cr_peer_try_start(cr_peer_track_t *track);
/* How long its packets are waited for, in us. */
int64_t cr_peer_try_give_up(const cr_peer_track_t *track);
/* A packet came after it had been asked for, or a run of them never did. */
void cr_peer_try_result(cr_peer_track_t *track, bool answered);


static inline int64_t
cr_peer_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static inline int64_t
cr_peer_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}


#endif /* CR_PEER_CORE_H */
