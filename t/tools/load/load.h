
/*
 * Copyright (C) The call recorder authors
 *
 * What the files of the load generator share.
 *
 *   main.c       options, connecting, the clock, the report
 *   send.c       packets made once, sealed and sent for each publisher
 */

#ifndef CR_LOAD_H
#define CR_LOAD_H


#include "publisher.h"


/* send.c */
/* Makes the packets of both files. */
const char *load_packets(const media_t media[2]);


#endif /* CR_LOAD_H */
