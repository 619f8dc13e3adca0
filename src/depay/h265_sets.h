
/*
 * Copyright (C) The call recorder authors
 *
 * H.265 parameter sets: what they say of the picture, and the hvcC made of
 * them (ISO/IEC 14496-15 section 8.3.3.1).
 */

#ifndef CR_H265_SETS_H
#define CR_H265_SETS_H


#include "base/status.h"
#include "depay/nal_sets.h"


/* ITU-T H.265 table 7-1 */
#define CR_H265_VCL_MAX    31
#define CR_H265_IRAP       16      /* the first of those, */
#define CR_H265_CRA        21      /* and the last; 22, 23 are reserved */
#define CR_H265_IRAP_MAX   23
#define CR_H265_VPS        32
#define CR_H265_SPS        33
#define CR_H265_PPS        34
#define CR_H265_AUD        35
#define CR_H265_FILLER     38

#define CR_H265_TYPE(nal)  ((nal)[0] >> 1 & 0x3f)


/* Takes a NAL unit of type VPS, SPS or PPS. */
cr_status_e cr_h265_sets_add(cr_nal_sets_t *sets, const uint8_t *nal,
    size_t len);

/* The SPS that a slice's pps id leads to; NULL: it or its VPS is unknown. */
const cr_nal_set_t *cr_h265_sets_active(const cr_nal_sets_t *sets,
    uint8_t pps);

/* The hvcC, profile and level being those of sps; 0: it is larger than
 * size. */
size_t cr_h265_sets_hvcc(const cr_nal_sets_t *sets, const cr_nal_set_t *sps,
    uint8_t *p, size_t size);

/* The head of a slice segment (section 7.3.6.1); false: too short. */
bool cr_h265_slice(const uint8_t *nal, size_t len, bool *first,
    uint32_t *pps);


#endif /* CR_H265_SETS_H */
