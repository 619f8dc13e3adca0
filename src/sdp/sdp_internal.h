
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of src/sdp/ share: views of the offer's text, one parsed
 * m-section, and the lines of an answer that describe our transport.
 *
 * Nothing is copied while parsing: all strings point into the offer.  The
 * offer is walked over once for its sections (cr_sdp_parse) and each section
 * once when somebody asks for it (cr_sdp_parse_media), so that one
 * m-section at a time lies on the stack.
 */

#ifndef CR_SDP_INTERNAL_H
#define CR_SDP_INTERNAL_H


#include "sdp/sdp.h"


#define CR_SDP_LINE_MAX      8192
#define CR_SDP_LINES_MAX     4096
#define CR_SDP_PAYLOADS_MAX  64
#define CR_SDP_SPROP_MAX     3       /* H.265: VPS, SPS, PPS */
#define CR_SDP_RIDS_MAX      16
#define CR_SDP_UNSAID        255
#define CR_ICE_UFRAG_MIN     4       /* RFC 8839 section 5.4 */
#define CR_ICE_PWD_MIN       22


typedef struct {
    const char  *data;
    size_t       len;
} cr_str_t;


typedef enum {
    CR_SETUP_NONE = 0,
    CR_SETUP_ACTPASS,
    CR_SETUP_ACTIVE,
    CR_SETUP_PASSIVE,
    CR_SETUP_HOLDCONN
} cr_setup_e;


typedef enum {
    CR_DIR_NONE = 0,
    CR_DIR_SENDRECV,
    CR_DIR_SENDONLY,
    CR_DIR_RECVONLY,
    CR_DIR_INACTIVE
} cr_dir_e;


enum {
    CR_FB_NACK = 0x01,
    CR_FB_PLI = 0x02,
    CR_FB_FIR = 0x04,
    CR_FB_TWCC = 0x08,
    CR_FB_REMB = 0x10
};


/* Attributes that may stand at session or media level. */
typedef struct {
    cr_str_t  ufrag;
    cr_str_t  pwd;
    uint8_t   setup;                        /* cr_setup_e */
    uint8_t   direction;                    /* cr_dir_e */
    uint8_t   hash;                         /* the best fingerprint's */
    uint8_t   fingerprint_len;
    uint8_t   fingerprint[CR_FINGERPRINT_MAX];
    bool      extmap_allow_mixed;
} cr_sdp_common_t;


typedef struct {
    uint8_t   pt;
    uint8_t   codec;                        /* cr_codec_e, NONE: not ours */
    bool      rtx;
    uint8_t   apt;
    uint8_t   feedback;                     /* CR_FB_* */
    bool      red;
    bool      ulpfec;
    uint8_t   red_of;                       /* all its blocks' type */
    bool      interleaved;                  /* H.265, several streams, too */
    uint8_t   packetization_mode;
    uint8_t   interleaving_depth;           /* CR_SDP_UNSAID: none */
    uint8_t   profile_level_id[3];
    uint8_t   profile;                      /* CR_SDP_UNSAID: the default */
    uint8_t   level;
    uint8_t   tier;
    cr_str_t  sprop[CR_SDP_SPROP_MAX];
    struct {
        uint8_t  channels;                  /* 0: no multiopus */
        uint8_t  streams;
        uint8_t  coupled;
        uint8_t  nmapping;
        uint8_t  mapping[CR_OPUS_CHANNELS_MAX];
    } opus;
} cr_sdp_payload_t;


/* The header extensions that we know, in the order of the answer. */
typedef enum {
    CR_EXT_MID = 0,
    CR_EXT_RID,
    CR_EXT_REPAIRED_RID,
    CR_EXT_TWCC,
    CR_EXT_ABS_SEND_TIME,
    CR_EXT_AUDIO_LEVEL,
    CR_EXT_VIDEO_ORIENTATION,
    CR_EXT_ABS_CAPTURE_TIME,
    CR_EXT_DEPENDENCY,
    CR_EXT_PLAYOUT_DELAY,                   /* nobody waits: no effect */
    CR_EXT_COUNT
} cr_ext_e;

extern const char *const  cr_sdp_ext_uri[CR_EXT_COUNT];


typedef struct {
    uint8_t  id;                            /* 0: not offered */
    bool     sendonly;                      /* offered as "/sendonly" */
} cr_sdp_ext_t;


/* a=rid:<id> send <parameters> */
typedef struct {
    cr_str_t  id;
    cr_str_t  parameters;
} cr_sdp_rid_t;


/* a=ssrc-group:FID */
typedef struct {
    uint32_t  media;
    uint32_t  rtx;
} cr_sdp_fid_t;


typedef struct {
    cr_str_t          media;                /* "audio", "video", ... */
    cr_str_t          proto;
    cr_str_t          format;               /* the first one */
    cr_str_t          mid;
    uint32_t          port;
    bool              bundle_only;
    bool              rtcp_mux;
    bool              rtcp_rsize;
    cr_sdp_common_t   common;
    uint32_t          ssrc;
    bool              screen;               /* RFC 4796, a=content:slides */
    cr_str_t          simulcast;            /* the streams it would send */
    uint8_t           nrids;
    uint8_t           nfids;
    uint8_t           nsims;                /* a=ssrc-group:SIM */
    cr_sdp_rid_t      rids[CR_SDP_RIDS_MAX];
    cr_sdp_fid_t      fids[CR_LAYER_MAX];
    uint32_t          sims[CR_LAYER_MAX];
    cr_sdp_ext_t      ext[CR_EXT_COUNT];
    uint8_t           npayloads;            /* in the offerer's order */
    cr_sdp_payload_t  payloads[CR_SDP_PAYLOADS_MAX];
} cr_sdp_mline_t;


typedef struct {
    cr_sdp_common_t  common;
    bool             has_bundle;
    cr_str_t         bundle;                /* the mids of the first group */
    uint8_t          nmlines;
    cr_str_t         sections[CR_SDP_MLINE_MAX];
} cr_sdp_desc_t;


/* sdp_parse.c */

cr_status_e cr_sdp_parse(const char *text, size_t len, cr_sdp_desc_t *desc,
    const char **why);

/* Reads "a=name" or "a=name:value" of the common attributes; CR_DECLINED
 * when it is another one. */
cr_status_e cr_sdp_common(cr_sdp_common_t *common, const cr_str_t *name,
    const cr_str_t *value, const char **why);

/* Whether mid is one of the space-separated words of a group. */
bool cr_sdp_in_group(const cr_str_t *group, const cr_str_t *mid);

/* Checks a ufrag or password: ice-chars, between min and max of them. */
bool cr_sdp_ice_valid(const cr_str_t *s, size_t min, size_t max);


/* sdp_text.c */

/*
 * Takes the next line, without its end, off *text.  CR_DECLINED: there is
 * no more; CR_INVALID, CR_LIMIT: it is none of SDP.
 */
cr_status_e cr_sdp_line(cr_str_t *text, cr_str_t *line, const char **why);

/* Splits "a=name:value"; false when the line is no attribute. */
bool cr_sdp_attribute(const cr_str_t *line, cr_str_t *name, cr_str_t *value);

/* The next word of *text, separated by spaces; empty at the end. */
cr_str_t cr_str_word(cr_str_t *text);

/* The next piece of *text up to a separator; false at the end. */
bool cr_str_split(cr_str_t *text, char separator, cr_str_t *piece);

bool cr_str_eq(const cr_str_t *s, const char *literal);
bool cr_str_case_eq(const cr_str_t *s, const char *literal);
bool cr_str_same(const cr_str_t *a, const cr_str_t *b);

/* RFC 8866 section 9, "token". */
bool cr_str_token(const cr_str_t *s);

/* A decimal number of at most max; false: it is none. */
bool cr_str_number(const cr_str_t *s, uint32_t max, uint32_t *value);


/* sdp_media.c */

cr_status_e cr_sdp_parse_media(const cr_str_t *section,
    cr_sdp_mline_t *mline, const char **why);


/* sdp_simulcast.c: lines that say of an m-line's streams, and the layers */

void cr_sdp_parse_rid(cr_sdp_mline_t *mline, cr_str_t value);
void cr_sdp_parse_simulcast(cr_sdp_mline_t *mline, cr_str_t value);
void cr_sdp_parse_ssrc(cr_sdp_mline_t *mline, cr_str_t value);
void cr_sdp_parse_ssrc_group(cr_sdp_mline_t *mline, cr_str_t value);

/* SSRCs, rids; after pt, rtx_pt and ext_rid. */
void cr_sdp_fill_layers(cr_media_params_t *media,
    const cr_sdp_mline_t *mline);

/* a=rid and a=simulcast, or nothing. */
void cr_sdp_write_layers(cr_writer_t *w, const cr_media_params_t *media);


/* sdp_codec.c */

/* What a=rtpmap says, static payload types included. */
uint8_t cr_sdp_codec(const cr_str_t *media, const cr_str_t *encoding);
uint8_t cr_sdp_static_codec(const cr_str_t *media, uint8_t pt);

/* The payload type to take; NULL: none of them. */
const cr_sdp_payload_t *cr_sdp_choose(const cr_sdp_config_t *config,
    const cr_sdp_mline_t *mline);

/* Kind, rates, profile and parameter sets. */
void cr_sdp_fill_codec(cr_media_params_t *media,
    const cr_sdp_payload_t *payload);

/* RED and ULPFEC of a video. */
void cr_sdp_fill_fec(cr_media_params_t *media, const cr_sdp_mline_t *mline);

/* RFC 5761 section 4: these look like RTCP when muxed with it. */
bool cr_sdp_pt_usable(uint8_t pt);

/* The types besides the codec's in the m-line, and what is said of them. */
void cr_sdp_write_fec_types(cr_writer_t *w, const cr_media_params_t *media);
void cr_sdp_write_fec(cr_writer_t *w, const cr_media_params_t *media);

/* a=rtpmap and a=fmtp. */
void cr_sdp_write_codec(cr_writer_t *w, const cr_media_params_t *media);


/* sdp_opus.c */

/* The channels of "multiopus/48000/6" and the like; 0: it is none. */
uint8_t cr_sdp_multiopus(const cr_str_t *media, const cr_str_t *encoding);

/* channel_mapping=0,4,1,2,3,5 */
void cr_sdp_multiopus_mapping(cr_sdp_payload_t *payload, cr_str_t value);

/* Whether it is plain Opus, or one whose mapping is whole. */
bool cr_sdp_multiopus_known(const cr_sdp_payload_t *payload);
void cr_sdp_fill_opus(cr_media_params_t *media,
    const cr_sdp_payload_t *payload);
void cr_sdp_write_opus(cr_writer_t *w, const cr_media_params_t *media);


/* sdp_answer.c */

#if (defined(__GNUC__) || defined(__clang__))
__attribute__((format(printf, 2, 3)))
#endif
void cr_sdp_printf(cr_writer_t *w, const char *fmt, ...);

void cr_sdp_write_ice(cr_writer_t *w, const cr_sdp_local_t *local);
void cr_sdp_write_candidates(cr_writer_t *w, const cr_sdp_local_t *local);
void cr_sdp_write_bundle(cr_writer_t *w, const cr_sdp_session_t *session);


#endif /* CR_SDP_INTERNAL_H */
