
/*
 * Copyright (C) The call recorder authors
 *
 * What was sent, for who compares it with what arrived.
 */

#ifndef CR_PUBLISHER_LOG_H
#define CR_PUBLISHER_LOG_H


#include "publisher.h"


/* p->options.log; NULL or why not. */
const char *log_open(publisher_t *p);
void log_frame(publisher_t *p, unsigned which, const uint8_t *data,
    const media_frame_t *f);


#endif /* CR_PUBLISHER_LOG_H */
