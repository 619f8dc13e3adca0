#!/usr/bin/python3

# Copyright (C) The call recorder authors
#
# A WHIP publisher on aiortc, which has ICE, DTLS, SRTP and RTP of its own in
# Python, for a third opinion:
#
#     aiortc-publish.py URL TOKEN SECONDS
#
# A bar that moves over a colour, and a tone of 600 Hz.  Prints "connected" when
# media flows, exits with 1 when it could not connect.

import asyncio
import fractions
import math
import struct
import sys
import urllib.parse
import urllib.request

import av
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

WIDTH, HEIGHT = 320, 240
RATE, SAMPLES = 48000, 960


class Bar(VideoStreamTrack):
    """White on green, one step to the right in each picture."""

    n = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(WIDTH, HEIGHT, 'yuv420p')
        left = self.n * 4 % (WIDTH - 32)
        row = bytes([110] * left + [235] * 32 + [110] * (WIDTH - 32 - left))

        for plane, data in zip(frame.planes, (row * HEIGHT, None, None)):
            plane.update(data or bytes([64]) * plane.buffer_size)

        frame.pts, frame.time_base = pts, time_base
        self.n += 1
        return frame


class Tone(AudioStreamTrack):

    n = 0
    start = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(max(0, self.start + self.n / RATE - loop.time()))

        frame = av.AudioFrame(format='s16', layout='mono', samples=SAMPLES)
        frame.planes[0].update(struct.pack(f'<{SAMPLES}h', *(
            int(12000 * math.sin(2 * math.pi * 600 * (self.n + i) / RATE))
            for i in range(SAMPLES))))
        frame.pts, frame.sample_rate = self.n, RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self.n += SAMPLES
        return frame


def request(method, url, token, body=None):
    headers = {'Authorization': 'Bearer ' + token}

    if body:
        headers['Content-Type'] = 'application/sdp'

    return urllib.request.urlopen(
        urllib.request.Request(url, body, headers, method=method))


async def publish(url, token, seconds):
    pc = RTCPeerConnection()
    connected = asyncio.Event()
    video = Bar()

    @pc.on('connectionstatechange')
    def state():
        if pc.connectionState == 'connected':
            connected.set()

    for track in (video, Tone()):
        pc.addTransceiver(track, direction='sendonly')

    await pc.setLocalDescription(await pc.createOffer())

    answer = await asyncio.to_thread(request, 'POST', url, token,
                                     pc.localDescription.sdp.encode())
    await pc.setRemoteDescription(
        RTCSessionDescription(answer.read().decode(), 'answer'))

    await asyncio.wait_for(connected.wait(), 60)
    print('connected', flush=True)
    await asyncio.sleep(seconds)

    resource = urllib.parse.urljoin(url, answer.headers['Location'])
    await asyncio.to_thread(request, 'DELETE', resource, token)
    await pc.close()


if __name__ == '__main__':
    try:
        asyncio.run(publish(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    except (OSError, asyncio.TimeoutError) as e:
        print('failed:', repr(e), flush=True)
        sys.exit(1)
