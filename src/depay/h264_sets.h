
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 parameter sets: those of a stream, what they say of the picture, and
 * the avcC made of them (ISO/IEC 14496-15 section 5.3.3.1).
 */

#ifndef CR_H264_SETS_H
#define CR_H264_SETS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"


/* ITU-T H.264 table 7-1 */
#define CR_H264_SLICE      1
#define CR_H264_SLICE_IDR  5
#define CR_H264_SEI        6
#define CR_H264_SPS        7
#define CR_H264_PPS        8
#define CR_H264_AUD        9
#define CR_H264_FILLER     12

#define CR_H264_SETS_MAX   16
#define CR_H264_SET_SIZE   160


typedef struct {
    uint8_t   type;              /* CR_H264_SPS, CR_H264_PPS, 0: unused */
    uint8_t   id;
    uint8_t   sps;               /* of a PPS: the SPS that it refers to */
    uint8_t   chroma_format;     /* of an SPS, as the following */
    uint8_t   bit_depth_luma;
    uint8_t   bit_depth_chroma;
    uint16_t  width;
    uint16_t  height;
    uint16_t  len;
    uint32_t  used;              /* the larger, the more recently seen */
    uint8_t   data[CR_H264_SET_SIZE];
} cr_h264_set_t;


typedef struct {
    bool           changed;      /* since it was cleared by the owner */
    uint32_t       clock;
    cr_h264_set_t  set[CR_H264_SETS_MAX];
} cr_h264_sets_t;


/*
 * Takes a NAL unit of type SPS or PPS.  A set with a known id replaces it;
 * when all places are taken, the one seen longest ago goes.
 */
cr_status_e cr_h264_sets_add(cr_h264_sets_t *sets, const uint8_t *nal,
    size_t len);

/* The SPS that a slice's pic_parameter_set_id leads to; NULL: not known. */
const cr_h264_set_t *cr_h264_sets_active(const cr_h264_sets_t *sets,
    uint8_t pps);

/* The avcC, profile and level being those of sps; 0: it is larger than
 * size. */
size_t cr_h264_sets_avcc(const cr_h264_sets_t *sets,
    const cr_h264_set_t *sps, uint8_t *p, size_t size);

/* The head of a slice (section 7.3.3); false: too short. */
bool cr_h264_slice(const uint8_t *nal, size_t len, uint32_t *first_mb,
    uint32_t *pps);


#endif /* CR_H264_SETS_H */
