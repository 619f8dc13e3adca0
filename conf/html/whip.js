/*
 * A WHIP client (RFC 9725) in one class.
 *
 *     const whip = new WhipClient('/whip/room123', token);
 *     await whip.publish(stream);
 *     ...
 *     await whip.close();
 *
 * Options: codec; maxBitrate; simulcast (a video in three layers, the first
 * video if there are several).
 *
 * Fires 'state' events whose detail is the RTCPeerConnection's state.
 */

const LAYERS = [
    { rid: 'q', scaleResolutionDownBy: 4 },
    { rid: 'h', scaleResolutionDownBy: 2 },
    { rid: 'f', scaleResolutionDownBy: 1 },
];


export class WhipClient extends EventTarget {

    constructor(endpoint, token, { codec = '', maxBitrate = 0,
                                   simulcast = false } = {}) {
        super();
        this.endpoint = endpoint;
        this.token = token;
        this.codec = codec;
        this.maxBitrate = maxBitrate;
        this.simulcast = simulcast;
        this.resource = null;
        this.pc = null;
    }

    async publish(stream) {
        const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
        this.pc = pc;

        pc.addEventListener('connectionstatechange', () => {
            this.dispatchEvent(new CustomEvent('state',
                { detail: pc.connectionState }));
        });

        for (const track of stream.getTracks()) {
            const layers = this.simulcast
                && track === stream.getVideoTracks()[0];
            const tr = pc.addTransceiver(track,
                { direction: 'sendonly', streams: [stream],
                  ...(layers ? { sendEncodings: LAYERS } : {}) });

            if (track.kind === 'video' && this.codec) {
                preferCodec(tr, this.codec);
            }
        }

        await pc.setLocalDescription();

        /* The server is ICE-lite: it learns our candidates from our checks,
         * so there is nothing to wait for or to trickle. */
        const res = await fetch(this.endpoint, {
            method: 'POST',
            headers: this.headers({ 'Content-Type': 'application/sdp' }),
            body: pc.localDescription.sdp,
        });

        if (res.status !== 201) {
            const problem = await res.json().catch(() => ({}));
            pc.close();
            throw new Error(problem.detail || problem.title
                            || `WHIP answered ${res.status}`);
        }

        this.resource = new URL(res.headers.get('Location'),
                                new URL(this.endpoint, location.href)).href;

        await pc.setRemoteDescription({ type: 'answer',
                                        sdp: await res.text() });
        await this.raiseBitrate();
        await this.connected();
    }

    /* The browser's own ceiling; the server's feedback leads it there. */
    async raiseBitrate() {
        for (const sender of this.pc.getSenders()) {
            if (!this.maxBitrate || sender.track?.kind !== 'video') {
                continue;
            }

            const params = sender.getParameters();
            params.encodings.forEach((e) => {
                e.maxBitrate = this.maxBitrate;
            });
            await sender.setParameters(params);
        }
    }

    connected() {
        const pc = this.pc;

        return new Promise((resolve, reject) => {
            const look = () => {
                if (pc.connectionState === 'connected') {
                    resolve();

                } else if (['failed', 'closed'].includes(pc.connectionState)) {
                    reject(new Error('no connection to the media port'));
                }
            };

            pc.addEventListener('connectionstatechange', look);
            look();
        });
    }

    async close() {
        this.pc?.close();

        if (this.resource) {
            await fetch(this.resource, { method: 'DELETE',
                                         headers: this.headers(),
                                         keepalive: true });
            this.resource = null;
        }
    }

    headers(more = {}) {
        return { Authorization: `Bearer ${this.token}`, ...more };
    }
}


function preferCodec(transceiver, name) {
    const mime = `video/${name}`.toLowerCase();
    const all = RTCRtpReceiver.getCapabilities('video').codecs;
    const first = all.filter((c) => c.mimeType.toLowerCase() === mime);

    if (first.length) {
        transceiver.setCodecPreferences(
            [...first, ...all.filter((c) => !first.includes(c))]);
    }
}
