
/*
 * Copyright (C) The call recorder authors
 *
 * Transport-wide congestion control feedback,
 * draft-holmer-rmcat-transport-wide-cc-extensions-01.
 */

#ifndef CR_TWCC_H
#define CR_TWCC_H


#include "base/bytes.h"
#include "base/status.h"


#define CR_TWCC_WINDOW       1024          /* packets between two feedbacks */


typedef struct {
    int64_t   last_seq;                    /* highest, unwrapped; -1: none */
    int64_t   base_seq;                    /* first that is not reported */
    uint8_t   feedback_count;
    int64_t   arrival_us[CR_TWCC_WINDOW];  /* by seq, INT64_MIN: not here */
    uint32_t  pending;                     /* arrivals not reported yet */
} cr_twcc_t;


void cr_twcc_init(cr_twcc_t *twcc);

/* One packet with transport-wide sequence number seq has arrived. */
void cr_twcc_packet(cr_twcc_t *twcc, uint16_t seq, int64_t now_us);

/*
 * Appends one feedback packet for what has arrived since the last; false
 * when there is nothing to report.  Call every 50..100 ms, and at once when
 * pending nears CR_TWCC_WINDOW / 2; call again while it returns true.
 */
bool cr_twcc_write(cr_twcc_t *twcc, cr_writer_t *w, uint32_t ssrc,
    uint32_t media_ssrc);


#endif /* CR_TWCC_H */
