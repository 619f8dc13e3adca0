
/*
 * Copyright (C) The call recorder authors
 *
 * Addresses of the system and of src/.
 */


#include "ngx_rtc_module.h"


void
ngx_rtc_addr_from(cr_addr_t *addr, const struct sockaddr *sa)
{
    const struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    const struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(addr, sizeof(cr_addr_t));

    switch (sa->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) sa;
        addr->family = 4;
        addr->port = ntohs(sin->sin_port);
        ngx_memcpy(addr->ip, &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) sa;
        addr->port = ntohs(sin6->sin6_port);

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            addr->family = 4;
            ngx_memcpy(addr->ip, sin6->sin6_addr.s6_addr + 12, 4);
            break;
        }

        addr->family = 6;
        ngx_memcpy(addr->ip, &sin6->sin6_addr, 16);
        break;
#endif

    default:
        break;
    }
}


socklen_t
ngx_rtc_addr_to(const cr_addr_t *addr, ngx_sockaddr_t *sa)
{
    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

#if (NGX_HAVE_INET6)
    if (addr->family == 6) {
        sa->sockaddr_in6.sin6_family = AF_INET6;
        sa->sockaddr_in6.sin6_port = htons(addr->port);
        ngx_memcpy(&sa->sockaddr_in6.sin6_addr, addr->ip, 16);
        return sizeof(struct sockaddr_in6);
    }
#endif

    sa->sockaddr_in.sin_family = AF_INET;
    sa->sockaddr_in.sin_port = htons(addr->port);
    ngx_memcpy(&sa->sockaddr_in.sin_addr, addr->ip, 4);

    return sizeof(struct sockaddr_in);
}
