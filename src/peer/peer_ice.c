
/*
 * Copyright (C) The call recorder authors
 *
 * The peer as an ICE-lite agent (RFC 8445): it answers connectivity checks
 * and sends none.  What is not proven to come from the peer gets no answer.
 */

#include "peer/peer_core.h"


/* RFC 8489 section 14.8, RFC 8445 section 7.3.1.1 */
#define CR_PEER_UNKNOWN_ATTRIBUTE  420
#define CR_PEER_ROLE_CONFLICT      487


static const cr_peer_credentials_t *cr_peer_ice_credentials(cr_peer_t *peer,
    const cr_stun_msg_t *msg);
static bool cr_peer_ice_matches(const cr_peer_credentials_t *c,
    const cr_stun_msg_t *msg);
static void cr_peer_ice_remember(cr_peer_t *peer, const cr_addr_t *from);
static void cr_peer_ice_select(cr_peer_t *peer, const cr_addr_t *from,
    bool nominated);


cr_status_e
cr_peer_ice_input(cr_peer_t *peer, const cr_addr_t *from,
    const uint8_t *data, size_t len)
{
    size_t                        n, pwd_len;
    uint16_t                      error;
    uint8_t                       buf[CR_PEER_DATAGRAM_MAX];
    cr_status_e                   rc;
    cr_stun_msg_t                 msg;
    const cr_peer_credentials_t  *c;

    rc = cr_stun_parse(data, len, &msg);

    if (rc != CR_OK) {
        return rc;
    }

    /* we have sent no request; an indication wants no answer */
    if (msg.type != CR_STUN_BINDING_REQUEST) {
        return CR_DECLINED;
    }

    c = cr_peer_ice_credentials(peer, &msg);

    if (c == NULL) {
        return CR_AUTH;
    }

    pwd_len = strlen(c->local_pwd);
    error = 0;

    if (msg.nunknown != 0) {
        error = CR_PEER_UNKNOWN_ATTRIBUTE;

    } else if (msg.controlled) {
        error = CR_PEER_ROLE_CONFLICT;
    }

    if (error != 0) {
        n = cr_stun_write_error(buf, sizeof(buf), &msg, error, c->local_pwd,
                                pwd_len);

    } else {
        n = cr_stun_write_success(buf, sizeof(buf), &msg, from, c->local_pwd,
                                  pwd_len);
    }

    if (n != 0) {
        peer->handlers.send(peer->handlers.ctx, from, buf, n);
    }

    if (error != 0) {
        return CR_OK;
    }

    peer->consent_us = peer->now_us;

    cr_peer_ice_remember(peer, from);
    cr_peer_ice_select(peer, from, msg.use_candidate);

    return CR_OK;
}


/* Those that the request is signed with; NULL: none of ours. */
static const cr_peer_credentials_t *
cr_peer_ice_credentials(cr_peer_t *peer, const cr_stun_msg_t *msg)
{
    if (cr_peer_ice_matches(&peer->credentials, msg)) {
        return &peer->credentials;
    }

    if (!peer->restarting || !cr_peer_ice_matches(&peer->restart, msg)) {
        return NULL;
    }

    /* RFC 8445 section 9: the new ones are in use, the old ones go */
    peer->credentials = peer->restart;
    peer->restarting = false;
    peer->nominated = false;
    peer->npaths = 0;

    return &peer->credentials;
}


static bool
cr_peer_ice_matches(const cr_peer_credentials_t *c, const cr_stun_msg_t *msg)
{
    cr_slice_t  ours, theirs;

    return cr_stun_username(msg, &ours, &theirs) == CR_OK
           && ours.len == strlen(c->local_ufrag)
           && memcmp(ours.data, c->local_ufrag, ours.len) == 0
           && theirs.len == strlen(c->remote_ufrag)
           && memcmp(theirs.data, c->remote_ufrag, theirs.len) == 0
           && cr_stun_verify(msg, c->local_pwd, strlen(c->local_pwd))
              == CR_OK;
}


static void
cr_peer_ice_remember(cr_peer_t *peer, const cr_addr_t *from)
{
    unsigned  i;

    for (i = 0; i < peer->npaths; i++) {
        if (cr_addr_equal(&peer->paths[i], from)) {
            break;
        }
    }

    if (i == peer->npaths) {
        if (i == CR_PEER_PATH_MAX) {
            i--;

        } else {
            peer->npaths++;
        }
    }

    memmove(&peer->paths[1], &peer->paths[0], i * sizeof(cr_addr_t));
    peer->paths[0] = *from;
}


/*
 * The latest nomination counts: peers move to another path by nominating it.
 * The first path serves until there is one (RFC 8445 section 12.1 lets DTLS
 * begin with any valid pair).
 */
static void
cr_peer_ice_select(cr_peer_t *peer, const cr_addr_t *from, bool nominated)
{
    if (nominated || peer->remote.family == 0
        || (!peer->nominated && !cr_peer_ice_path(peer, &peer->remote)))
    {
        peer->remote = *from;
    }

    peer->nominated |= nominated;
}


bool
cr_peer_ice_path(const cr_peer_t *peer, const cr_addr_t *from)
{
    unsigned  i;

    for (i = 0; i < peer->npaths; i++) {
        if (cr_addr_equal(&peer->paths[i], from)) {
            return true;
        }
    }

    return false;
}


void
cr_peer_path_lost(cr_peer_t *peer, const cr_addr_t *addr)
{
    unsigned  i;

    for (i = 0; i < peer->npaths; i++) {
        if (cr_addr_equal(&peer->paths[i], addr)) {
            peer->npaths--;
            memmove(&peer->paths[i], &peer->paths[i + 1],
                    (peer->npaths - i) * sizeof(cr_addr_t));
            break;
        }
    }

    if (cr_addr_equal(&peer->remote, addr)) {
        peer->nominated = false;

        if (peer->npaths != 0) {
            peer->remote = peer->paths[0];
        }
    }
}


cr_status_e
cr_peer_restart(cr_peer_t *peer, const char *local_ufrag,
    const char *local_pwd, const char *remote_ufrag, const char *remote_pwd)
{
    cr_peer_credentials_t  *c = &peer->restart;

    if (peer->state == CR_PEER_CLOSED) {
        return CR_DECLINED;
    }

    if (strlen(local_ufrag) > CR_ICE_UFRAG_MAX
        || strlen(local_pwd) > CR_ICE_PWD_MAX
        || strlen(remote_ufrag) > CR_ICE_UFRAG_MAX
        || strlen(remote_pwd) > CR_ICE_PWD_MAX)
    {
        return CR_LIMIT;
    }

    strcpy(c->local_ufrag, local_ufrag);
    strcpy(c->local_pwd, local_pwd);
    strcpy(c->remote_ufrag, remote_ufrag);
    strcpy(c->remote_pwd, remote_pwd);

    peer->restarting = true;

    return CR_OK;
}
