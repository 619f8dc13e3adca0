#!/usr/bin/python3

# Copyright (C) The call recorder authors
#
# A WHIP publisher on GStreamer's webrtcbin, for a second opinion:
#
#     gst-publish.py VP8|H264 URL TOKEN SECONDS
#
# A ball on black, and ticks.  Prints "connected" when media flows, exits with
# 1 when it could not connect within ten seconds.

import sys
import threading
import urllib.request

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstSdp', '1.0')

from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO = {
    'VP8': 'vp8enc deadline=1 keyframe-max-dist=300 target-bitrate=500000 '
           '! rtpvp8pay picture-id-mode=15-bit '
           '! application/x-rtp,media=video,encoding-name=VP8,payload=96',
    'H264': 'x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 '
            'key-int-max=300 ! video/x-h264,profile=constrained-baseline '
            '! rtph264pay config-interval=-1 aggregate-mode=zero-latency '
            '! application/x-rtp,media=video,encoding-name=H264,payload=96',
}

PIPELINE = '''
    webrtcbin name=webrtc bundle-policy=max-bundle latency=0
    videotestsrc is-live=true pattern=ball
        ! video/x-raw,width=640,height=480,framerate=30/1 ! queue
        ! %s ! webrtc.
    audiotestsrc is-live=true wave=ticks ! audioconvert ! opusenc
        ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97
        ! webrtc.
'''


class Publisher:

    def __init__(self, codec, url, token, seconds):
        self.url = url
        self.token = token
        self.seconds = seconds
        self.posted = False
        self.resource = None
        self.connected = False
        self.loop = GLib.MainLoop()

        self.pipeline = Gst.parse_launch(PIPELINE % VIDEO[codec])
        self.webrtc = self.pipeline.get_by_name('webrtc')

        # the loopback address, which libnice leaves out by itself; both
        # are kept, since webrtcbin does not survive their release
        self.ice = self.webrtc.get_property('ice-agent')
        self.agent = self.ice.get_property('agent')
        self.agent.set_property('upnp', False)
        self.ice.emit('add-local-ip-address', '127.0.0.1')

        for i in (0, 1):
            transceiver = self.webrtc.emit('get-transceiver', i)
            transceiver.set_property(
                'direction',
                GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)

        self.webrtc.connect('on-negotiation-needed', self.negotiate)
        self.webrtc.connect('notify::ice-gathering-state', self.gathered)
        self.webrtc.connect('notify::connection-state', self.state)

        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message::error', self.error)

    def negotiate(self, webrtc):
        self.promise = Gst.Promise.new_with_change_func(self.offer, None)
        webrtc.emit('create-offer', None, self.promise)

    def offer(self, promise, _):
        promise.wait()
        # kept: the reply's values go with it
        self.reply = promise.get_reply()
        self.description = self.reply['offer']
        self.webrtc.emit('set-local-description', self.description,
                         Gst.Promise.new())

    def gathered(self, webrtc, _):
        if (webrtc.get_property('ice-gathering-state')
                == GstWebRTC.WebRTCICEGatheringState.COMPLETE
                and not self.posted):
            self.posted = True
            threading.Thread(target=self.post, daemon=True).start()

    def request(self, method, url, body=None):
        headers = {'Authorization': 'Bearer ' + self.token}
        if body:
            headers['Content-Type'] = 'application/sdp'
        return urllib.request.urlopen(urllib.request.Request(
            url, body, headers, method=method))

    def post(self):
        try:
            offer = self.webrtc.get_property('local-description')
            answer = self.request('POST', self.url,
                                  offer.sdp.as_text().encode())
        except OSError as e:
            print('POST failed:', e, flush=True)
            GLib.idle_add(self.loop.quit)
            return

        self.resource = answer.headers['Location']
        _, sdp = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(answer.read(), sdp)
        self.answer = GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.webrtc.emit('set-remote-description', self.answer,
                         Gst.Promise.new())

    def state(self, webrtc, _):
        if (webrtc.get_property('connection-state')
                == GstWebRTC.WebRTCPeerConnectionState.CONNECTED
                and not self.connected):
            self.connected = True
            print('connected', flush=True)
            GLib.timeout_add(int(self.seconds * 1000), self.loop.quit)

    def error(self, _, message):
        print(message.parse_error(), flush=True)
        self.loop.quit()

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(10000, lambda: self.connected or self.loop.quit())
        self.loop.run()
        if self.resource:
            self.request('DELETE', self.resource)
        self.pipeline.set_state(Gst.State.NULL)
        return 0 if self.connected else 1


Gst.init(None)
sys.exit(Publisher(sys.argv[1], sys.argv[2], sys.argv[3],
                   float(sys.argv[4])).run())
