
/*
 * Copyright (C) The call recorder authors
 *
 * Simulcast: which of one picture's layers is the best that arrives, and
 * when another one takes over.  Pure policy: its owner asks for keyframes
 * and writes.
 */

#ifndef CR_LAYERS_H
#define CR_LAYERS_H


#include "base/media.h"


/* A layer without packets for so long is off, if others went on: so many of
 * their frames came (screens send few). */
#define CR_LAYER_SILENT_US      400000
#define CR_LAYER_SILENT_FRAMES  5
/* What is better and known to be there is waited for. */
#define CR_LAYER_WAIT_US        500000


typedef struct {
    uint16_t  width;              /* of its last keyframe, 0: none */
    uint16_t  height;
    bool      off;                /* said so, or never heard */
    int64_t   heard_us;           /* its last packet */
    unsigned  missed;             /* frames of others since */
} cr_layer_state_t;


typedef struct {
    unsigned          n;
    int               current;    /* the one to be taken, -1: none yet */
    int64_t           wait_us;    /* a worse one could have been, 0: never */
    cr_layer_state_t  layers[CR_LAYER_MAX];
} cr_layers_t;


/* n: 1 to CR_LAYER_MAX. */
void cr_layers_init(cr_layers_t *l, unsigned n);

/* What is known of a layer from before, of its last keyframe. */
void cr_layers_size(cr_layers_t *l, unsigned layer, uint16_t width,
    uint16_t height);

/*
 * When a layer's last packet came; INT64_MIN: none ever, or it is known to
 * be off.  To be told of all of them before cr_layers_frame(): a layer whose
 * packets wait for a lost one is not silent, though no frame of it comes.
 */
void cr_layers_heard(cr_layers_t *l, unsigned layer, int64_t heard_us);

/* A frame of a layer came; true: with it the layer becomes the current one. */
bool cr_layers_frame(cr_layers_t *l, unsigned layer, const cr_frame_t *frame,
    int64_t now_us);

/* The layer that should become the current one, which takes a keyframe; -1:
 * none. */
int cr_layers_wanted(const cr_layers_t *l, int64_t now_us);

bool cr_layers_silent(const cr_layers_t *l, unsigned layer, int64_t now_us);


#endif /* CR_LAYERS_H */
