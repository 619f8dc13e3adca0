
/*
 * Copyright (C) The call recorder authors
 *
 * All publishers send the same packets, which are made once.  A frame leaves
 * by one sendmmsg().
 */

#include "load.h"


#define BATCH    64


typedef struct {
    uint32_t        len;
    uint8_t         data[PACKET_MAX];    /* HEAD_SIZE bytes are not filled */
    bool            marker;
} load_packet_t;


typedef struct {
    load_packet_t  *packets;
    unsigned        npackets;
    unsigned       *first;               /* of each frame, and the end */
} load_file_t;


static load_file_t     load_files[2];

static unsigned        load_nbatch;
static struct iovec    load_iov[BATCH];
static struct mmsghdr  load_msgs[BATCH];
static uint8_t         load_data[BATCH][PACKET_MAX + CR_SRTP_TRAILER_MAX];


static void
load_packet(void *ctx, bool marker, const uint8_t *head, size_t head_len,
    const uint8_t *data, size_t len)
{
    load_file_t    *f = ctx;
    load_packet_t  *p;

    p = realloc(f->packets, (f->npackets + 1) * sizeof(load_packet_t));

    if (p == NULL) {
        abort();
    }

    f->packets = p;
    p += f->npackets++;

    if (head_len != 0) {
        memcpy(p->data + HEAD_SIZE, head, head_len);
    }

    memcpy(p->data + HEAD_SIZE + head_len, data, len);
    p->len = (uint32_t) (HEAD_SIZE + head_len + len);
    p->marker = marker;
}


const char *
load_packets(const media_t media[2])
{
    unsigned      i, which;
    load_file_t  *f;

    for (which = 0; which < 2; which++) {
        f = &load_files[which];
        f->first = calloc(media[which].nframes + 1, sizeof(unsigned));

        if (f->first == NULL) {
            return "no memory";
        }

        for (i = 0; i < media[which].nframes; i++) {
            f->first[i] = f->npackets;
            packets_of(&media[which], &media[which].frames[i], 0,
                       load_packet, f);
        }

        f->first[i] = f->npackets;
    }

    return NULL;
}


static void
load_flush(publisher_t *p)
{
    int       n;
    unsigned  i;

    for (i = 0; i < load_nbatch; i += (unsigned) n) {
        n = sendmmsg(p->fd, load_msgs + i, load_nbatch - i, 0);

        if (n <= 0) {
            p->dropped += load_nbatch - i;
            break;
        }
    }

    load_nbatch = 0;
}


/* Seals the packet at the end of the batch, which has been filled. */
static void
load_send(publisher_t *p, size_t len)
{
    uint8_t  *b = load_data[load_nbatch];

    packet_number(p, b);

    if (cr_srtp_seal_rtp(p->srtp, b, &len) != CR_OK) {
        return;
    }

    load_iov[load_nbatch].iov_base = b;
    load_iov[load_nbatch].iov_len = len;
    load_msgs[load_nbatch].msg_hdr.msg_iov = &load_iov[load_nbatch];
    load_msgs[load_nbatch].msg_hdr.msg_iovlen = 1;

    p->sent++;

    if (++load_nbatch == BATCH) {
        load_flush(p);
    }
}


void
send_frame(publisher_t *p, unsigned which)
{
    uint8_t              *b;
    unsigned              i, frame;
    media_t              *m = &p->media[which];
    stream_t             *s = &p->streams[which];
    load_file_t          *f = &load_files[which];
    const load_packet_t  *packet;

    frame = (unsigned) (media_next(m) - m->frames);

    for (i = f->first[frame]; i < f->first[frame + 1]; i++) {
        packet = &f->packets[i];
        b = load_data[load_nbatch];

        packet_head(p, which, packet->marker, b);
        memcpy(b + HEAD_SIZE, packet->data + HEAD_SIZE,
               packet->len - HEAD_SIZE);

        if (m->codec == CR_CODEC_VP8) {
            cr_put_u16(b + HEAD_SIZE + 2, 0x8000 | p->picture_id);
        }

        s->packets++;
        s->octets += packet->len - HEAD_SIZE;

        load_send(p, packet->len);
    }

    load_flush(p);

    p->picture_id = (p->picture_id + (which == VIDEO)) & 0x7fff;
    p->frames[which]++;
    s->timestamp += m->step;
}


/* Nothing is kept: what the kernel drops is lost, and to be seen so. */
void
send_again(publisher_t *p, unsigned which, uint16_t seq)
{
    (void) p;
    (void) which;
    (void) seq;
}
