
/*
 * Copyright (C) The call recorder authors
 *
 * A transport address without <sys/socket.h>.
 */

#ifndef CR_ADDR_H
#define CR_ADDR_H


#include <stdbool.h>
#include <stdint.h>
#include <string.h>


typedef enum {
    CR_UDP = 0,
    CR_TCP                 /* RFC 6544; datagrams are framed, RFC 4571 */
} cr_transport_e;


/* One of UDP is never that of TCP, whatever their numbers. */
typedef struct {
    uint8_t   family;      /* 4 or 6, 0 when unset */
    uint16_t  port;        /* host byte order */
    uint8_t   ip[16];      /* network byte order; an IPv4 address uses 4 */
    uint8_t   transport;   /* cr_transport_e */
} cr_addr_t;


static inline bool
cr_addr_equal(const cr_addr_t *a, const cr_addr_t *b)
{
    return a->family == b->family && a->port == b->port
           && a->transport == b->transport
           && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}


#endif /* CR_ADDR_H */
