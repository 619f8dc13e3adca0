
/*
 * Copyright (C) The call recorder authors
 *
 * What the publisher makes of the peer's datagrams.
 */

#include "remote.h"


static void
remote_nack(remote_t *r, unsigned video, uint16_t seq)
{
    r->nacks += video;
    r->sound_nacks += !video;
    remote_repeat(r, video, seq);
}


static void
remote_rtcp_input(remote_t *r, uint8_t *data, size_t len)
{
    unsigned        i, bit, video;
    uint16_t        pid, blp;
    cr_rtcp_t       rtcp;
    const uint8_t  *pos, *end, *p;

    if (r->srtp == NULL
        || cr_srtp_open_rtcp(r->srtp, data, &len) != CR_OK)
    {
        return;
    }

    pos = data;
    end = data + len;

    while (cr_rtcp_next(&pos, end, &rtcp) == CR_OK) {
        p = rtcp.body.data;

        if (r->on_rtcp != NULL) {
            r->on_rtcp(r, &rtcp);
            continue;
        }

        switch (rtcp.type << 8 | rtcp.count) {

        case CR_RTCP_RTPFB << 8 | 1:
            video = cr_get_u32(p + 4) == r->video_ssrc;

            for (i = 8; i + 4 <= rtcp.body.len; i += 4) {
                pid = cr_get_u16(p + i);
                blp = cr_get_u16(p + i + 2);
                remote_nack(r, video, pid);

                for (bit = 0; bit < 16; bit++) {
                    if (blp >> bit & 1) {
                        remote_nack(r, video, (uint16_t) (pid + bit + 1));
                    }
                }
            }

            break;

        case CR_RTCP_RTPFB << 8 | 15:
            r->twccs++;
            break;

        case CR_RTCP_PSFB << 8 | 1:
            r->plis++;
            r->want_keyframe = true;
            break;

        case CR_RTCP_PSFB << 8 | 4:
            r->firs++;
            r->want_keyframe = true;
            break;

        case CR_RTCP_PSFB << 8 | 15:
            r->rembs++;

            if (rtcp.body.len >= 16) {
                r->remb_bitrate = (uint64_t) (cr_get_u24(p + 13) & 0x3ffff)
                                  << (p[13] >> 2);
            }

            break;

        default:
            if (rtcp.type == CR_RTCP_XR && rtcp.body.len >= 16) {
                r->rrtr = cr_get_u32(p + 10);
                r->rrtr_us = r->now_us;
                r->rrtr_ssrc = rtcp.ssrc;
            }

            r->rrs += rtcp.type == CR_RTCP_RR;
            r->byes += rtcp.type == CR_RTCP_BYE;
            break;
        }
    }
}


void
remote_input(remote_t *r, uint8_t *data, size_t len)
{
    cr_stun_msg_t   msg;
    cr_srtp_keys_t  keys;

    if (cr_stun_is_stun(data, len)) {
        if (cr_stun_parse(data, len, &msg) == CR_OK
            && cr_stun_verify(&msg, LOCAL_PWD, strlen(LOCAL_PWD)) == CR_OK)
        {
            r->stun_success += msg.type == CR_STUN_BINDING_SUCCESS;

            if (msg.type == CR_STUN_BINDING_ERROR) {
                r->stun_error = msg.error_code;
            }

            if (r->stun_success == 1) {
                (void) cr_dtls_start(r->dtls, r->now_us);
            }
        }

    } else if (cr_dtls_is_dtls(data, len)) {
        r->dtls_status = cr_dtls_input(r->dtls, data, len, r->now_us);

        if (r->dtls_status == CR_OK && r->srtp == NULL
            && cr_dtls_keys(r->dtls, &keys) == CR_OK)
        {
            r->srtp = cr_srtp_create(&r->env.env, &keys);
            r->next_us[0] = r->now_us;
            r->next_us[1] = r->now_us;
            r->last_sr_us = r->now_us - 800000;
        }

    } else {
        remote_rtcp_input(r, data, len);
    }
}
