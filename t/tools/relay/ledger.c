
/*
 * Copyright (C) The call recorder authors
 */

#include "base/bytes.h"
#include "relay.h"


#define STREAMS    64
#define NUMBERS    65536

#define SEEN       1
#define DELIVERED  2


typedef struct {
    uint32_t  ssrc;
    uint16_t  first;
    uint8_t   state[NUMBERS];        /* by distance from the first */
} ledger_t;


static ledger_t  ledgers[STREAMS];
static unsigned  nledgers;


static bool
mark(const uint8_t *data, size_t len, uint8_t what, uint32_t *key)
{
    unsigned   i;
    uint16_t   seq;
    uint32_t   ssrc;
    ledger_t  *l;

    /* RFC 7983 section 7; RFC 5761 section 4 */
    if (len < 12 || data[0] < 128 || data[0] > 191
        || (data[1] >= 192 && data[1] <= 223))
    {
        return false;
    }

    seq = cr_get_u16(data + 2);
    ssrc = cr_get_u32(data + 8);

    for (i = 0; i < nledgers && ledgers[i].ssrc != ssrc; i++) {
        /* void */
    }

    if (i == STREAMS) {
        return false;
    }

    l = &ledgers[i];

    if (i == nledgers) {
        nledgers++;
        l->ssrc = ssrc;
        l->first = seq;
    }

    seq = (uint16_t) (seq - l->first);
    l->state[seq] |= what;
    *key = i << 16 | seq;

    return true;
}


bool
ledger_sent(const uint8_t *data, size_t len, uint32_t *key)
{
    return mark(data, len, SEEN, key);
}


void
ledger_delivered(const uint8_t *data, size_t len)
{
    uint32_t  key;

    (void) mark(data, len, DELIVERED, &key);
}


uint64_t
ledger_missing(void)
{
    bool      begun;
    uint32_t  n;
    unsigned  i;
    uint64_t  since, missing;

    missing = 0;

    for (i = 0; i < nledgers; i++) {
        begun = false;
        since = 0;

        for (n = 0; n < NUMBERS; n++) {

            if (ledgers[i].state[n] & DELIVERED) {
                missing += begun ? since : 0;
                begun = true;
                since = 0;

            } else {
                since += ledgers[i].state[n] != 0;
            }
        }
    }

    return missing;
}
