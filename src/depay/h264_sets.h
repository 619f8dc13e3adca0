
/*
 * Copyright (C) The call recorder authors
 *
 * H.264 parameter sets: those of a stream, what they say of the picture, and
 * the avcC made of them (ISO/IEC 14496-15 section 5.3.3.1).
 */

#ifndef CR_H264_SETS_H
#define CR_H264_SETS_H


#include "base/status.h"
#include "depay/nal_sets.h"


/* ITU-T H.264 table 7-1 */
#define CR_H264_SLICE      1
#define CR_H264_SLICE_IDR  5
#define CR_H264_SEI        6
#define CR_H264_SPS        7
#define CR_H264_PPS        8
#define CR_H264_AUD        9
#define CR_H264_FILLER     12


/* Takes a NAL unit of type SPS or PPS. */
cr_status_e cr_h264_sets_add(cr_nal_sets_t *sets, const uint8_t *nal,
    size_t len);

/* The SPS that a slice's pic_parameter_set_id leads to; NULL: not known. */
const cr_nal_set_t *cr_h264_sets_active(const cr_nal_sets_t *sets,
    uint8_t pps);

/* The avcC, profile and level being those of sps; 0: it is larger than
 * size. */
size_t cr_h264_sets_avcc(const cr_nal_sets_t *sets,
    const cr_nal_set_t *sps, uint8_t *p, size_t size);

/* The head of a slice (section 7.3.3); false: too short. */
bool cr_h264_slice(const uint8_t *nal, size_t len, uint32_t *first_mb,
    uint32_t *pps);


#endif /* CR_H264_SETS_H */
