
/*
 * Copyright (C) The call recorder authors
 *
 * The dependency descriptor (AV1's RTP payload format, appendix A): what a
 * header extension tells of a frame of any codec: its number, its beginning
 * and end, its layers, which frames it needs and who needs it.
 */

#ifndef CR_DEPENDENCY_H
#define CR_DEPENDENCY_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_DEPENDENCY_TEMPLATES  64     /* section A.8.1: ids of 6 bits */
#define CR_DEPENDENCY_TARGETS    32     /* 5 bits, and one */
#define CR_DEPENDENCY_FDIFFS     8      /* more is nobody's structure */


typedef struct {
    uint8_t  spatial;
    uint8_t  temporal;
    uint8_t  nfdiffs;
    uint8_t  fdiffs[CR_DEPENDENCY_FDIFFS];
    /* a bit each: decode targets whose pictures use it, or are it */
    uint32_t  present;
    /* of them those that can go on without it */
    uint32_t  discardable;
} cr_dependency_template_t;


/* Sent with keyframes; those behind them refer to it. */
typedef struct {
    uint8_t                   offset;         /* of template ids */
    uint8_t                   ntemplates;     /* 0: none is known */
    uint8_t                   ntargets;
    uint8_t                   nchains;
    bool                      resolutions;
    cr_dependency_template_t  templates[CR_DEPENDENCY_TEMPLATES];
} cr_dependency_structure_t;


typedef struct {
    bool      start;                /* the frame's first packet */
    bool      end;
    bool      structure;            /* it begins a coded video sequence */
    uint16_t  number;
    uint8_t   spatial;
    uint8_t   temporal;
    uint8_t   nfdiffs;
    uint16_t  fdiffs[CR_DEPENDENCY_FDIFFS];   /* number - that of a frame
                                                 which it needs */
    uint32_t  present;
    uint32_t  discardable;
} cr_dependency_t;


/*
 * Reads an extension; s is the last structure (zeroed at first) and is
 * replaced by the one it carries.  CR_INVALID: malformed, s is as it was;
 * CR_AGAIN: it refers to a structure that is not known, only start, end and
 * number are filled in.
 */
cr_status_e cr_dependency_parse(const cr_slice_t *value,
    cr_dependency_structure_t *s, cr_dependency_t *d);


#endif /* CR_DEPENDENCY_H */
