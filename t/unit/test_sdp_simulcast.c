
/*
 * Copyright (C) The call recorder authors
 *
 * Layers of simulcast in an offer, and several videos.
 */


#include "sdp_offer.h"


#define EXT_RID                                                            \
    "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"        \
    "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"


/* The offer with these lines in its video. */

static const cr_media_params_t *
with_lines(const char *lines)
{
    char  text[2048];

    snprintf(text, sizeof(text), "a=sendrecv\r\n" EXT_RID "%s", lines);
    assert_int_equal(negotiate(edited(offer, "a=sendrecv\r\n", text)),
                     CR_OK);
    write_answer(buf);

    return &session.media[1];
}


static void
assert_layers(const cr_media_params_t *video, const char *rids)
{
    char      text[128], *p;
    unsigned  i;

    p = text;
    *p = '\0';

    for (i = 0; i < video->nlayers; i++) {
        p += sprintf(p, "%s%s", i == 0 ? "" : ";", video->layers[i].rid);
    }

    assert_string_equal(text, rids);
}


static void
all_layers_of_a_browser_are_taken(void **state)
{
    const cr_media_params_t  *video;

    (void) state;

    load("chromium156-simulcast");
    assert_int_equal(negotiate(buf), CR_OK);

    video = &session.media[1];
    assert_layers(video, "q;h;f");
    assert_int_equal(video->ssrc, 0);
    assert_int_equal(video->layers[2].ssrc, 0);
    assert_int_not_equal(video->ext_rid, 0);
    assert_int_not_equal(video->ext_repaired_rid, 0);
    assert_false(video->screen);
    assert_int_equal(cr_media_tracks(video), 3);
    assert_int_equal(cr_media_tracks(&session.media[0]), 1);

    write_answer(buf);
    assert_answered("a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\n"
                    "a=simulcast:recv q;h;f\r\n");
    assert_answered("a=extmap-allow-mixed\r\n");
}


/* OBS 31 sends its best layer first, and refuses an answer with fewer. */

static void
all_layers_of_obs_are_taken(void **state)
{
    (void) state;

    assert_layers(with_lines("a=rid:0 send\r\na=rid:1 send\r\n"
                             "a=rid:2 send\r\na=simulcast:send 0;1;2\r\n"),
                  "0;1;2");
    assert_answered("a=rid:0 recv\r\na=rid:1 recv\r\na=rid:2 recv\r\n"
                    "a=simulcast:recv 0;1;2\r\n");
}


static void
paused_streams_and_the_first_alternative_are_taken(void **state)
{
    (void) state;

    assert_layers(with_lines("a=simulcast:recv x;y send ~a,b;none,~c;d\r\n"
                             "a=rid:a send\r\na=rid:b send\r\n"
                             "a=rid:c send pt=96,97;max-width=640\r\n"
                             "a=rid:d recv\r\n"), "a;c");
    assert_answered("a=simulcast:recv a;c\r\n");
    assert_not_answered("a=rid:b");
    assert_not_answered("a=rid:d");

    /* H.264 is not what we chose */

    assert_layers(with_lines("a=simulcast:send a,b;c\r\n"
                             "a=rid:a send max-fps=30;pt=102,104\r\n"
                             "a=rid:b send pt=96\r\na=rid:c send\r\n"),
                  "b;c");
}


static void
layers_are_at_most_four(void **state)
{
    (void) state;

    assert_layers(with_lines("a=rid:a send\r\na=rid:b send\r\n"
                             "a=rid:c send\r\na=rid:d send\r\n"
                             "a=rid:e send\r\na=simulcast:send a;b;c;d;e\r\n"),
                  "a;b;c;d");
    assert_answered("a=simulcast:recv a;b;c;d\r\n");
    assert_not_answered("a=rid:e");
}


static void
a_simulcast_that_is_none_is_left_out(void **state)
{
    unsigned  i;

    static const char *const  lines[] = {
        "a=simulcast:\r\n",
        "a=simulcast:send\r\n",
        "a=simulcast:recv a;b\r\na=rid:a recv\r\na=rid:b recv\r\n",
        "a=simulcast:send a;b\r\n",
        "a=simulcast:send ;;~,;\r\na=rid:a send\r\n",
        "a=rid:a send\r\na=rid:b send\r\n",
        "a=rid:abcdefghijklmnopq send\r\n"
        "a=simulcast:send abcdefghijklmnopq\r\n",
        "a=rid:a/b send\r\na=simulcast:send a/b\r\n",
    };

    (void) state;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_layers(with_lines(lines[i]), "");
        assert_not_answered("a=rid");
        assert_not_answered("a=simulcast");
    }

    /* twice the same is once */

    assert_layers(with_lines("a=rid:a send\r\na=rid:a send\r\n"
                             "a=simulcast:send a;a\r\n"), "a");

    /* nothing in the packets would say whose they are */

    edited(offer, "a=sendrecv\r\n", "a=sendrecv\r\na=rid:a send\r\n"
           "a=rid:b send\r\na=simulcast:send a;b\r\n");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_layers(&session.media[1], "");
}


static void
layers_by_ssrc_group_have_their_repetitions(void **state)
{
    const cr_media_params_t  *video;

    (void) state;

    edited(offer, "a=ssrc-group:FID 21 22\r\n",
           "a=ssrc-group:SIM 21 23 25\r\n"
           "a=ssrc-group:FID 21 22\r\n"
           "a=ssrc-group:FID 25 26\r\n"
           "a=ssrc-group:FID 23 24\r\n");
    assert_int_equal(negotiate(buf), CR_OK);

    video = &session.media[1];
    assert_int_equal(video->nlayers, 3);
    assert_int_equal(video->layers[0].ssrc, 21);
    assert_int_equal(video->layers[0].rtx_ssrc, 22);
    assert_int_equal(video->layers[1].ssrc, 23);
    assert_int_equal(video->layers[1].rtx_ssrc, 24);
    assert_int_equal(video->layers[2].ssrc, 25);
    assert_int_equal(video->layers[2].rtx_ssrc, 26);

    /* that is between the packets and us */

    write_answer(buf);
    assert_not_answered("a=rid");
    assert_not_answered("a=simulcast");
    assert_not_answered("a=ssrc");

    /* the same one twice, one alone, none */

    negotiate(edited(offer, "FID 21 22", "SIM 21 21"));
    assert_int_equal(session.media[1].nlayers, 0);
    negotiate(edited(offer, "FID 21 22", "SIM 21"));
    assert_int_equal(session.media[1].nlayers, 0);
    negotiate(edited(offer, "FID 21 22", "SIM"));
    assert_int_equal(session.media[1].nlayers, 0);
}


/* "a=mid:x<n>", VP8 */

static void
add_videos(unsigned n, const char *line)
{
    char      text[512], *p;
    unsigned  i;

    p = stpcpy(text, "a=group:BUNDLE 0 1");

    for (i = 0; i < n; i++) {
        p += sprintf(p, " x%u", i);
    }

    edited(offer, "a=group:BUNDLE 0 1", text);

    for (i = 0; i < n; i++) {
        sprintf(text, "m=video 9 RTP/SAVPF 96\r\na=rtcp-mux\r\n"
                "a=rtpmap:96 VP8/90000\r\na=mid:x%u\r\n%s", i, line);
        strcat(buf, text);
    }
}


static void
a_further_video_is_the_screen(void **state)
{
    (void) state;

    add_videos(1, "");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.nmedia, 3);
    assert_false(session.media[0].screen);
    assert_false(session.media[1].screen);
    assert_true(session.media[2].screen);

    /* RFC 4796 */

    negotiate(edited(offer, "a=sendrecv\r\n",
                     "a=sendrecv\r\na=content:slides\r\n"));
    assert_true(session.media[1].screen);

    load("chromium156-screen2video");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_false(session.media[1].screen);
    assert_true(session.media[3].screen);
}


static void
a_fifth_video_is_rejected(void **state)
{
    (void) state;

    add_videos(5, "");
    assert_int_equal(negotiate(buf), CR_OK);
    assert_int_equal(session.nmedia, 1 + CR_VIDEO_MAX);

    write_answer(buf);
    assert_answered("a=group:BUNDLE 0 1 x0 x1 x2\r\n");
    assert_answered("m=video 0 RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"
                    "a=mid:x3\r\na=inactive\r\n");
    assert_answered("a=mid:x4\r\na=inactive\r\n");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(all_layers_of_a_browser_are_taken),
        cmocka_unit_test(all_layers_of_obs_are_taken),
        cmocka_unit_test(paused_streams_and_the_first_alternative_are_taken),
        cmocka_unit_test(layers_are_at_most_four),
        cmocka_unit_test(a_simulcast_that_is_none_is_left_out),
        cmocka_unit_test(layers_by_ssrc_group_have_their_repetitions),
        cmocka_unit_test(a_further_video_is_the_screen),
        cmocka_unit_test(a_fifth_video_is_rejected)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
