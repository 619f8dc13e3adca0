
/*
 * Copyright (C) The call recorder authors
 */

#include "rtp/stream_impl.h"


#define CAPACITY_MIN         64
/* How soon, in numbers and time, a second packet confirms a jump. */
#define CONFIRM_PACKETS      16
#define CONFIRM_US           2000000
/* A jump whose timestamps agree with the clock this well is only loss. */
#define SAME_CLOCK_US        1000000
/* Silence after which packets from far back are a new numbering. */
#define SILENCE_US           1000000


cr_rtp_stream_t *
cr_rtp_stream_create(const cr_env_t *env,
    const cr_rtp_stream_config_t *config, uint32_t ssrc)
{
    cr_rtp_stream_t  *s;

    s = cr_alloc(env, sizeof(cr_rtp_stream_t));
    if (s == NULL) {
        return NULL;
    }

    s->env = *env;
    s->config = *config;
    s->ssrc = ssrc;
    s->highest = -1;
    s->next_nack_us = INT64_MAX;
    s->capacity = config->packets_max < CAPACITY_MIN ? config->packets_max
                                                     : CAPACITY_MIN;

    cr_store_init(&s->store, &s->env);

    s->ring = cr_alloc(env, s->capacity * sizeof(cr_slot_t));
    s->delivered = cr_alloc(env, (config->packets_max + 7) / 8);

    if (s->ring == NULL || s->delivered == NULL) {
        cr_rtp_stream_destroy(s);
        return NULL;
    }

    return s;
}


void
cr_rtp_stream_destroy(cr_rtp_stream_t *s)
{
    uint32_t  i;
    cr_env_t  env;

    if (s == NULL) {
        return;
    }

    if (s->out != NULL) {
        cr_store_put(&s->store, s->out);
    }

    if (s->suspect) {
        cr_store_put(&s->store, s->suspect_slot.u.held.block);
    }

    for (i = 0; s->ring != NULL && i < s->capacity; i++) {
        if (s->ring[i].state == CR_SLOT_HELD) {
            cr_store_put(&s->store, s->ring[i].u.held.block);
        }
    }

    cr_store_done(&s->store);

    env = s->env;
    cr_free(&env, s->ring);
    cr_free(&env, s->delivered);
    cr_free(&env, s);
}


/* The bit that says whether a number was handed out, not given up. */
static bool
delivered(const cr_rtp_stream_t *s, int64_t seq)
{
    uint32_t  i = (uint32_t) seq & (s->config.packets_max - 1);

    return s->next - seq <= s->config.packets_max
           && (s->delivered[i / 8] >> (i % 8) & 1);
}


static void
set_delivered(cr_rtp_stream_t *s, int64_t seq, bool yes)
{
    uint8_t   bit;
    uint32_t  i = (uint32_t) seq & (s->config.packets_max - 1);

    bit = (uint8_t) (1 << (i % 8));

    if (yes) {
        s->delivered[i / 8] |= bit;

    } else {
        s->delivered[i / 8] &= (uint8_t) ~bit;
    }
}


cr_status_e
cr_stream_reserve(cr_rtp_stream_t *s, int64_t first, int64_t last)
{
    int64_t     i;
    uint32_t    capacity;
    cr_slot_t  *ring;

    if (last - first < s->capacity) {
        return CR_OK;
    }

    /* twice the window: pop() has not been called yet for what is forced */
    if (last - first >= (int64_t) s->config.packets_max * 2) {
        return CR_DECLINED;
    }

    capacity = s->capacity;

    while (last - first >= capacity) {
        capacity *= 2;
    }

    ring = cr_alloc(&s->env, capacity * sizeof(cr_slot_t));
    if (ring == NULL) {
        return CR_NOMEM;
    }

    for (i = s->next; i <= s->highest; i++) {
        ring[(uint32_t) i & (capacity - 1)] = *cr_stream_slot(s, i);
    }

    cr_free(&s->env, s->ring);
    s->ring = ring;
    s->capacity = capacity;

    return CR_OK;
}


/* Copies a packet that has to wait; the slot's state is the caller's. */
static cr_status_e
hold(cr_rtp_stream_t *s, const cr_rtp_item_t *item, cr_slot_t *slot)
{
    cr_store_block_t  *b;

    if (s->store.used_bytes > s->config.bytes_max * 2) {
        return CR_DECLINED;
    }

    b = cr_store_get(&s->store, item->ext.len + item->payload.len);
    if (b == NULL) {
        return CR_NOMEM;
    }

    if (item->ext.len != 0) {
        memcpy(b->data, item->ext.data, item->ext.len);
    }

    if (item->payload.len != 0) {
        memcpy(b->data + item->ext.len, item->payload.data,
               item->payload.len);
    }

    slot->pt = item->pt;
    slot->marker = item->marker;
    slot->recovered = item->recovered;
    slot->ext_profile = item->ext_profile;
    slot->time_us = item->arrival_us;
    slot->u.held.block = b;
    slot->u.held.timestamp = item->timestamp;
    slot->u.held.ext_len = (uint32_t) item->ext.len;
    slot->u.held.payload_len = (uint32_t) item->payload.len;

    return CR_OK;
}


static void
item_from_rtp(cr_rtp_item_t *item, const cr_rtp_t *rtp, int64_t now_us)
{
    item->gap = false;
    item->gap_packets = 0;
    item->seq = 0;
    item->arrival_us = now_us;
    item->marker = rtp->marker;
    item->recovered = false;
    item->pt = rtp->pt;
    item->timestamp = rtp->timestamp;
    item->ext_profile = rtp->ext_profile;
    item->ext = rtp->ext;
    item->payload = rtp->payload;
}


static void
item_from_slot(cr_rtp_item_t *item, const cr_slot_t *slot, int64_t seq)
{
    const uint8_t  *data = slot->u.held.block->data;

    item->gap = false;
    item->gap_packets = 0;
    item->seq = seq;
    item->arrival_us = slot->time_us;
    item->marker = slot->marker;
    item->recovered = slot->recovered;
    item->pt = slot->pt;
    item->timestamp = slot->u.held.timestamp;
    item->ext_profile = slot->ext_profile;
    item->ext.data = data;
    item->ext.len = slot->u.held.ext_len;
    item->payload.data = data + slot->u.held.ext_len;
    item->payload.len = slot->u.held.payload_len;
}


/* What the last call left to the caller goes back. */
static void
begin(cr_rtp_stream_t *s, int64_t now_us)
{
    s->now_us = now_us;

    if (s->out != NULL) {
        cr_store_put(&s->store, s->out);
        s->out = NULL;
    }
}


void
cr_stream_settle(cr_rtp_stream_t *s)
{
    cr_slot_t  *slot;

    if (!s->direct) {
        return;
    }

    s->direct = false;
    slot = cr_stream_slot(s, s->next);

    if (hold(s, &s->direct_item, slot) == CR_OK) {
        slot->state = CR_SLOT_HELD;
        return;
    }

    s->stats.received--;
    s->stats.bytes -= s->direct_item.payload.len;
    s->stats.lost++;
    cr_stream_hole_add(s, s->next, s->now_us);
}


/* Takes a packet within the window: the newest, or one that fills a hole. */
static cr_status_e
take(cr_rtp_stream_t *s, int64_t seq, const cr_rtp_t *rtp, bool rtx,
    int64_t now_us)
{
    int64_t        i;
    cr_slot_t      held, *slot;
    cr_status_e    rc;
    cr_rtp_item_t  item;

    rc = cr_stream_reserve(s, s->next, seq);
    if (rc != CR_OK) {
        return rc;
    }

    item_from_rtp(&item, rtp, now_us);
    item.seq = seq;

    slot = cr_stream_slot(s, seq);

    if (seq <= s->highest) {
        item.recovered = slot->nacks != 0 || rtx;
    }

    if (seq < s->origin) {
        item.arrival_us = cr_stream_lead_arrival(s, rtp->timestamp, now_us);
    }

    if (seq != s->next) {
        rc = hold(s, &item, &held);
        if (rc != CR_OK) {
            return rc;
        }
    }

    if (seq > s->highest) {
        for (i = s->highest + 1; i < seq; i++) {
            cr_stream_hole_add(s, i, now_us);
            s->stats.lost++;
        }

        s->highest = seq;
        s->last_us = now_us;
        s->last_timestamp = rtp->timestamp;

    } else {
        cr_stream_hole_remove(s, seq);

        if (seq < s->origin) {
            cr_stream_lead_found(s, seq);
        }

        if (item.recovered) {
            s->stats.recovered++;

        } else {
            s->stats.reordered++;
        }
    }

    s->stats.received++;
    s->stats.bytes += rtp->payload.len;

    if (seq == s->next) {
        s->direct = true;
        s->direct_item = item;
        slot->state = CR_SLOT_EMPTY;
        return CR_OK;
    }

    held.state = CR_SLOT_HELD;
    held.nacks = 0;
    *slot = held;

    return CR_OK;
}


/* Keeps the first packet that does not fit in until a second confirms it. */
static cr_status_e
suspect(cr_rtp_stream_t *s, const cr_rtp_t *rtp, int64_t now_us)
{
    cr_rtp_item_t  item;

    if (s->suspect) {
        if (rtp->seq == s->suspect_seq) {
            return CR_DECLINED;
        }

        cr_store_put(&s->store, s->suspect_slot.u.held.block);
        s->suspect = false;
    }

    item_from_rtp(&item, rtp, now_us);

    if (hold(s, &item, &s->suspect_slot) == CR_OK) {
        s->suspect = true;
        s->suspect_seq = rtp->seq;
    }

    return CR_DECLINED;
}


static bool
confirms(const cr_rtp_stream_t *s, uint16_t seq, int64_t now_us)
{
    uint16_t  distance = (uint16_t) (seq - s->suspect_seq);

    return s->suspect && distance != 0 && distance <= CONFIRM_PACKETS
           && now_us - s->suspect_slot.time_us <= CONFIRM_US;
}


/*
 * Two packets agree that the numbering jumped: RFC 3550 appendix A.1.  What
 * is held is drained, the jump becomes one slot, and the kept packet goes
 * behind it.
 */
static cr_status_e
restart(cr_rtp_stream_t *s)
{
    int64_t      lost, elapsed;
    cr_slot_t   *slot;
    cr_status_e  rc;

    rc = cr_stream_reserve(s, s->next, s->highest + 2);
    if (rc != CR_OK) {
        return rc;
    }

    lost = (uint16_t) (s->suspect_seq - (s->highest - s->shift)) - 1;

    elapsed = (int64_t) (int32_t) (s->suspect_slot.u.held.timestamp
                                   - s->last_timestamp)
              * 1000000 / s->config.clock_rate;
    elapsed -= s->suspect_slot.time_us - s->last_us;

    if (lost < 0 || lost >= 0x8000 || elapsed > SAME_CLOCK_US
        || elapsed < -SAME_CLOCK_US)
    {
        lost = 0;
        cr_stream_report_restart(s, s->suspect_seq);
    }

    s->drain_until = s->highest + 1;

    slot = cr_stream_slot(s, s->highest + 1);
    slot->state = CR_SLOT_SKIP;
    slot->time_us = s->suspect_slot.time_us;
    slot->u.skip.packets = (uint32_t) lost;
    s->stats.lost += (uint64_t) lost;

    slot = cr_stream_slot(s, s->highest + 2);
    *slot = s->suspect_slot;
    slot->state = CR_SLOT_HELD;
    slot->nacks = 0;

    s->highest += 2;
    s->floor = s->highest;
    s->shift = s->highest - s->suspect_seq;
    s->last_us = slot->time_us;
    s->last_timestamp = slot->u.held.timestamp;
    s->suspect = false;
    s->stats.received++;
    s->stats.bytes += slot->u.held.payload_len;

    return CR_OK;
}


/* Whether a packet that is not within the window may be of a new numbering,
 * and not merely late. */
static bool
foreign(const cr_rtp_stream_t *s, const cr_rtp_t *rtp, int64_t seq,
    int64_t now_us)
{
    if (seq > s->highest) {
        return true;
    }

    return (int32_t) (rtp->timestamp - s->last_timestamp) > 0
           || (s->highest - seq > s->config.packets_max
               && now_us - s->last_us > SILENCE_US);
}


cr_status_e
cr_rtp_stream_push(cr_rtp_stream_t *s, const cr_rtp_t *rtp, bool rtx,
    int64_t now_us)
{
    bool         jumped;
    int64_t      seq;
    cr_status_e  rc;

    begin(s, now_us);
    cr_stream_settle(s);

    jumped = false;

    if (!s->started) {
        s->started = true;
        s->next = (int64_t) rtp->seq + 0x10000;
        s->highest = s->next - 1;
        s->floor = s->next;
        s->drain_until = s->next;
        s->origin = s->next;
        s->leading = s->config.nack;
    }

    seq = cr_rtp_unwrap16(s->highest - s->shift, rtp->seq) + s->shift;

    if (seq - s->highest > s->config.packets_max || seq < s->next) {

        if (!rtx && foreign(s, rtp, seq, now_us)) {
            if (!confirms(s, rtp->seq, now_us)) {
                return suspect(s, rtp, now_us);
            }

            rc = restart(s);
            if (rc != CR_OK) {
                return rc;
            }

            jumped = true;
            seq = cr_rtp_unwrap16(s->highest - s->shift, rtp->seq) + s->shift;
        }
    }

    if (!rtx) {
        cr_stream_report_packet(s, rtp, seq > s->highest, now_us);
    }

    if (seq < s->next || seq < s->floor
        || seq - s->highest > s->config.packets_max)
    {
        if (seq < s->next && seq >= s->floor && delivered(s, seq)) {
            s->stats.duplicates++;

        } else {
            s->stats.late++;
        }

        return CR_DECLINED;
    }

    if (seq <= s->highest && cr_stream_slot(s, seq)->state != CR_SLOT_HOLE) {
        s->stats.duplicates++;
        return CR_DECLINED;
    }

    rc = take(s, seq, rtp, rtx, now_us);

    return rc == CR_OK && jumped ? CR_LIMIT : rc;
}


static void
gap(cr_rtp_stream_t *s, uint32_t packets, cr_rtp_item_t *item)
{
    memset(item, 0, sizeof(*item));

    item->gap = true;
    item->gap_packets = packets;
    item->seq = s->next + s->skipped;
    item->arrival_us = cr_stream_slot(s, s->next)->time_us;

    s->stats.given_up += packets;
    s->leading = false;
}


cr_status_e
cr_rtp_stream_pop(cr_rtp_stream_t *s, int64_t now_us, cr_rtp_item_t *item)
{
    int64_t     i, end;
    cr_slot_t  *slot;

    begin(s, now_us);

    if (s->next < s->origin && cr_stream_hole_over(s, s->next, now_us)) {
        cr_stream_lead_end(s);
    }

    if (s->direct) {
        s->direct = false;
        s->leading = false;
        *item = s->direct_item;
        item->seq += s->skipped;
        set_delivered(s, s->next++, true);
        return CR_OK;
    }

    if (s->next > s->highest) {
        return CR_AGAIN;
    }

    slot = cr_stream_slot(s, s->next);

    switch (slot->state) {

    case CR_SLOT_HELD:
        item_from_slot(item, slot, s->next + s->skipped);
        s->out = slot->u.held.block;
        slot->state = CR_SLOT_EMPTY;
        s->leading = false;
        set_delivered(s, s->next++, true);
        return CR_OK;

    case CR_SLOT_SKIP:
        gap(s, slot->u.skip.packets, item);
        slot->state = CR_SLOT_EMPTY;

        if (slot->u.skip.packets > 1) {
            s->skipped += slot->u.skip.packets - 1;
        }

        set_delivered(s, s->next++, false);
        return CR_OK;

    default:
        break;
    }

    end = s->next;

    while (end <= s->highest && cr_stream_slot(s, end)->state == CR_SLOT_HOLE
           && cr_stream_hole_over(s, end, now_us))
    {
        end++;
    }

    if (end == s->next) {
        return CR_AGAIN;
    }

    gap(s, (uint32_t) (end - s->next), item);

    for (i = s->next; i < end; i++) {
        cr_stream_hole_remove(s, i);
        set_delivered(s, i, false);
    }

    s->next = end;

    return CR_OK;
}


bool
cr_rtp_stream_behind(const cr_rtp_stream_t *s, cr_slice_t *payload,
    uint32_t *away)
{
    int64_t        i;
    cr_rtp_item_t  item;
    cr_slot_t     *slot;

    if (s->direct || s->next > s->highest
        || cr_stream_slot(s, s->next)->state != CR_SLOT_HOLE)
    {
        return false;
    }

    for (i = s->next + 1; i <= s->highest; i++) {
        slot = cr_stream_slot(s, i);

        if (slot->state == CR_SLOT_HELD && slot->u.held.payload_len != 0) {
            item_from_slot(&item, slot, i);
            *payload = item.payload;
            *away = (uint32_t) (i - s->next);

            return true;
        }

        if (slot->state == CR_SLOT_SKIP) {
            break;
        }
    }

    return false;
}


void
cr_rtp_stream_drain(cr_rtp_stream_t *s, uint32_t numbers)
{
    if (s->drain_until < s->next + numbers) {
        s->drain_until = s->next + numbers;
    }
}


void
cr_rtp_stream_flush(cr_rtp_stream_t *s)
{
    s->drain_until = s->highest + 1;
}
