
/*
 * Copyright (C) The call recorder authors
 *
 * WHIP publishers of tests.  Shared by them:
 *
 *   publisher.c  a publisher and its session
 *   http.c       a blocking HTTP/1.0 client
 *   sdp.c        our offer, their answer
 *   clients.c    offers of known clients
 *   media.c      frames out of IVF, Annex B and Ogg files
 *   packets.c    frames to RTP packets
 *   transport.c  ICE, DTLS, SRTP and RTCP over one UDP socket, or
 *   stream.c     over one TCP connection
 *
 * What each has of its own are send_frame() and send_again().
 */

#ifndef CR_PUBLISHER_H
#define CR_PUBLISHER_H


#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/media.h"
#include "dtls/dtls.h"
#include "srtp/srtp.h"
#include "stun/frame.h"


#define AUDIO               0
#define VIDEO               1          /* and the layers behind it */
#define LAYERS_MAX          3
#define STREAMS             (VIDEO + LAYERS_MAX)

#define PT_OPUS             111
#define PT_VIDEO            96
#define PT_RTX              97

#define EXT_TWCC            3
#define EXT_MID             4
#define EXT_ORIENTATION     5
#define EXT_LEVEL           6
#define EXT_RID             7
#define EXT_REPAIRED_RID    8

#define HEAD_SIZE           24         /* with our two header extensions */
#define HISTORY             4096       /* packets, as OBS keeps */
#define PACKET_MAX          1400
#define PAYLOAD_MAX         1100
#define DATAGRAM_MAX        2048


/* Whose habits we have. */
typedef enum {
    CLIENT_OURS = 0,
    CLIENT_OBS,
    CLIENT_FFMPEG
} client_e;


typedef struct {
    const char  *url;
    const char  *token;
    const char  *files[STREAMS];
    unsigned     layers;         /* of video, 0 and 1: no simulcast */
    bool         by_ssrc;        /* a=ssrc-group:SIM instead of rids */
    double       off_from;       /* seconds without the last layer */
    double       off_to;
    const char  *setup;          /* of our offer */
    client_e     client;
    uint16_t     profile;        /* cr_srtp_profile_e, 0: all */
    unsigned     mtu;            /* of DTLS, 0: as it is */
    unsigned     fps;            /* of Annex B */
    unsigned     payload;        /* bytes of a packet of video, at most */
    int          level;          /* RFC 6464's byte of sound, 0: none */
    unsigned     turn;           /* frames until the camera is turned */
    unsigned     drop;           /* which packet of video, 0: none */
    unsigned     repeat_late;    /* packets, of a repetition */
    double       loss;           /* percent of our packets */
    double       duration;       /* seconds */
    double       migrate;        /* seconds until the address changes */
    uint64_t     seed;
    bool         wrong_fingerprint;
    bool         ipv6;
    bool         tcp;            /* to the TCP candidate */
    bool         to_tcp;         /* the other address is a TCP connection */
    unsigned     split;          /* bytes of a write to it, at most */
    const char  *via;            /* host:port instead of the candidate's */
    const char  *log;            /* a file for what was sent */
    double       linger;         /* seconds that repetitions go on */
    bool         audio_nack;
    bool         audio_repeat;
    bool         no_rtx;
    bool         single_nal;
    bool         bye;            /* instead of DELETE */
    bool         no_delete;
    bool         replay;
    bool         garbage;
    bool         verbose;
} options_t;


typedef struct {
    int      status;
    char     location[1024];
    char     body[65536];
    size_t   body_len;
} http_t;


typedef struct {
    size_t    offset;
    size_t    len;
    bool      keyframe;
} media_frame_t;


/* A whole file in memory, and where its frames are. */
typedef struct {
    cr_codec_e      codec;
    uint32_t        clock_rate;
    uint32_t        step;            /* RTP ticks of a frame */
    size_t          payload_max;     /* of a packet */
    uint8_t        *data;
    size_t          len;
    media_frame_t  *frames;
    unsigned        nframes;
    unsigned        next;
} media_t;


/* What the answer says. */
typedef struct {
    char                     ufrag[257];
    char                     pwd[257];
    char                     fingerprint[256];
    bool                     active;
    bool                     taken[2];
    socklen_t                addr_len;
    struct sockaddr_storage  addr;           /* of UDP */
    socklen_t                tcp_len;
    struct sockaddr_storage  tcp;
} answer_t;


typedef struct {
    uint32_t  ssrc;
    uint32_t  timestamp;
    uint16_t  seq;
    uint32_t  packets;
    uint32_t  octets;
    int64_t   next_us;               /* when the next frame is due */
} stream_t;


typedef struct {
    size_t    len;
    uint8_t   data[PACKET_MAX];
} packet_t;


typedef struct {
    options_t        options;
    cr_env_t         env;
    uint64_t         random;         /* of loss and garbage: by the seed */

    char             ufrag[9];
    char             pwd[25];
    cr_dtls_cert_t  *cert;
    answer_t         answer;

    int              fd;
    bool             over_tcp;
    cr_framing_t     framing;
    uint8_t          frame[CR_FRAMING_HEAD + DATAGRAM_MAX];
    int64_t          now_us;
    int64_t          started_us;
    int64_t          connected_us;   /* 0: not yet */
    int64_t          stun_us;        /* the last request */
    bool             stun_ok;
    bool             migrated;
    bool             closed;         /* by the server */
    const char      *failed;         /* why it came to nothing */
    cr_dtls_t       *dtls;
    cr_srtp_t       *srtp;
    cr_srtp_keys_t   keys;

    media_t          media[STREAMS];
    stream_t         streams[STREAMS];
    uint32_t         rtx_ssrc;       /* of the first layer, and so on */
    uint16_t         rtx_seq;
    uint16_t         twcc_seq;
    uint16_t         picture_id;
    int64_t          sr_us;
    packet_t        *history[STREAMS];     /* HISTORY of them each */
    FILE            *log;
    int64_t          until_us;       /* frames are sent; 0: ever */
    uint16_t         repeat_seq;     /* for --repeat-late */
    uint32_t         repeat_due;     /* packets; 0: nothing waits */
    packet_t         old;            /* a sealed datagram, for --replay */

    /* the report */
    uint64_t         sent;
    uint64_t         dropped;        /* by --loss */
    uint64_t         retransmitted;
    uint64_t         frames[STREAMS];
    uint64_t         keyframes;
    uint64_t         nacks;
    uint64_t         nack_bytes;     /* with IP and UDP */
    uint64_t         plis;
    uint64_t         twccs;
    uint64_t         rembs;
    uint64_t         reports;
    uint64_t         byes;
} publisher_t;


/* http.c: the URL's host and port answer; NULL or why not. */
const char *http_request(http_t *http, const char *method, const char *url,
    const char *token, const char *type, const char *body);

/* sdp.c */
/* The m-line and its transport, up to a=mid. */
void mline_head(const publisher_t *p, FILE *out, const char *fingerprint,
    unsigned which, bool rtx);
/* Header extensions, a=rid and a=simulcast. */
void simulcast_lines(FILE *out, unsigned layers);
size_t sdp_offer(const publisher_t *p, char *buf, size_t size);
const char *sdp_answer(publisher_t *p, const char *sdp);

/* clients.c: the whole offer of p->options.client */
void client_offer(const publisher_t *p, FILE *out, const char *fingerprint);

/* media.c */
const char *media_open(media_t *m, const char *file, unsigned fps);
void media_close(media_t *m);
const media_frame_t *media_next(media_t *m);
/* The next keyframe is the next frame, wherever it is in the file. */
void media_to_keyframe(media_t *m);

/* publisher.c; all return NULL, or why not */
/* Names and numbers for an offer with p->options. */
void publisher_init(publisher_t *p);
const char *publisher_media(publisher_t *p);
const char *publisher_post(publisher_t *p, http_t *http);
const char *publisher_delete(const publisher_t *p, http_t *http);

/* packets.c */
/* A packet's payload: head (FU indicators, descriptors) and data. */
typedef void (*packet_pt)(void *ctx, bool marker, const uint8_t *head,
    size_t head_len, const uint8_t *data, size_t len);

void packets_of(const media_t *m, const media_frame_t *f,
    uint16_t picture_id, packet_pt packet, void *ctx);
/* HEAD_SIZE bytes of the stream's next packet. */
void packet_head(publisher_t *p, unsigned which, bool marker, uint8_t *b);
void packet_number(publisher_t *p, uint8_t *b);
/* The same packet as a repetition; returns its length. */
size_t packet_rtx(publisher_t *p, unsigned which, uint8_t *to,
    const uint8_t *data, size_t len);

/* Annex B: the next start code from pos on, or len. */
size_t next_nal(const uint8_t *data, size_t len, size_t pos);
/* Without the zeros behind it. */
size_t nal_size(const uint8_t *nal, size_t len);

/* of each publisher */
void send_frame(publisher_t *p, unsigned which);
void send_again(publisher_t *p, unsigned which, uint16_t seq);

/* transport.c */
const char *transport_open(publisher_t *p);
void transport_close(publisher_t *p);
void transport_input(publisher_t *p, uint8_t *data, size_t len);
/* Takes the datagrams that are there. */
void transport_read(publisher_t *p);
/* Does what is due. */
void transport_due(publisher_t *p);
/* Waits for datagrams until until_us at most, does what is due. */
void transport_run(publisher_t *p, int64_t until_us);
void transport_send_rtp(publisher_t *p, uint8_t *data, size_t len);
void transport_send_raw(publisher_t *p, const uint8_t *data, size_t len);
/* stream.c */
/* A descriptor, or -1. */
int stream_connect(const publisher_t *p);
/* Waits for room. */
void stream_send(publisher_t *p, const uint8_t *data, size_t len);
void stream_read(publisher_t *p);

/* BYE and close_notify. */
void transport_bye(publisher_t *p);
int64_t monotonic_us(void);


#endif /* CR_PUBLISHER_H */
