/*
 * A WHIP client (RFC 9725) in one class.
 *
 *     const whip = new WhipClient('/whip/room123', token);
 *     await whip.publish(stream);
 *     ...
 *     await whip.close();       // abandon(), when there is no time for it
 *
 * Options: codec; maxBitrate; simulcast (a video in three layers, the first
 * video if there are several).
 *
 * Fires 'state' events whose detail is the RTCPeerConnection's state.
 *
 * A connection that is lost is mended: by an ICE restart, which finds a new
 * way to the same session (over TCP, where UDP does not work any more), or by
 * a new session, if the server has ended that one.
 */

const LAYERS = [
    { rid: 'q', scaleResolutionDownBy: 4 },
    { rid: 'h', scaleResolutionDownBy: 2 },
    { rid: 'f', scaleResolutionDownBy: 1 },
];

/* what an ICE restart changes */
const ICE = ['ice-ufrag', 'ice-pwd'];

/* Seconds to wait for the connection, before and after attempts to mend it:
 * many come back by themselves, and a network that is gone needs no haste. */
const PATIENCE = [2, 5, 10, 20, 30];

/* for the pacer, and for a NACK and its answer */
const DRAIN_MS = 300;


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
        this.stream = null;
        this.closed = false;
        this.mending = true;    /* not before it was connected */
    }

    async publish(stream) {
        this.stream = stream;
        await this.begin();
        this.mending = false;
        this.mend();
    }

    /* A session of its own. */
    async begin() {
        const stream = this.stream;
        const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
        this.pc = pc;
        this.resource = null;

        pc.addEventListener('connectionstatechange', () => {
            this.dispatchEvent(new CustomEvent('state',
                { detail: pc.connectionState }));
            this.mend();
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
            throw Object.assign(new Error(problem.detail || problem.title
                                          || `WHIP answered ${res.status}`),
                                { status: res.status });
        }

        this.resource = new URL(res.headers.get('Location'),
                                new URL(this.endpoint, location.href)).href;

        if (this.closed) {
            await this.end();
            throw new Error('closed meanwhile');
        }

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

    lost() {
        return !this.closed && this.pc.connectionState !== 'connected';
    }

    /* Until it is connected again or closed, or the server wants no more. */
    async mend() {
        if (this.mending || !this.lost()) {
            return;
        }

        this.mending = true;

        for (let n = 0; ; n++) {
            await this.settled(PATIENCE[Math.min(n, PATIENCE.length - 1)]);

            if (!this.lost()) {
                break;
            }

            try {
                if (!await this.restart()) {
                    this.pc.close();
                    await this.end();
                    await this.begin();
                }

            } catch (error) {

                if (error.status >= 400 && error.status < 500) {
                    this.dispatchEvent(new CustomEvent('state',
                        { detail: 'failed' }));
                    return;
                }

                /* no network, no room: later */
            }
        }

        this.mending = false;
    }

    /* It is connected or closed, or has had its time. */
    async settled(seconds) {
        const end = performance.now() + seconds * 1000;

        while (this.lost() && performance.now() < end) {
            await new Promise((resolve) => { setTimeout(resolve, 100); });
        }
    }

    /* RFC 9725 section 4.3.2; false: the server does not take it. */
    async restart() {
        const pc = this.pc;

        if (!this.resource || pc.connectionState === 'closed') {
            return false;
        }

        await pc.setLocalDescription(
            await pc.createOffer({ iceRestart: true }));

        const res = await fetch(this.resource, {
            method: 'PATCH',
            headers: this.headers({
                'Content-Type': 'application/trickle-ice-sdpfrag',
                'If-Match': '*',
            }),
            body: ICE.map((name) => `a=${name}:`
                + `${attribute(pc.localDescription.sdp, name)}\r\n`).join(''),
        });

        if (res.status >= 500) {
            throw new Error(`WHIP answered ${res.status}`);
        }

        if (res.status !== 200) {
            return false;
        }

        const theirs = await res.text();
        let sdp = pc.currentRemoteDescription.sdp;

        for (const name of ICE) {
            sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, 'gm'),
                              `a=${name}:${attribute(theirs, name)}`);
        }

        await pc.setRemoteDescription({ type: 'answer', sdp });

        return true;
    }

    /* What is captured and encoded goes out first: a browser that is told to
     * close throws away what its pacer holds, in mid-picture, and does not
     * answer for what the network has just lost. */
    async close() {
        this.closed = true;

        if (this.pc?.connectionState === 'connected') {
            await Promise.all(this.pc.getSenders().map(
                (sender) => sender.replaceTrack(null)));
            await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
        }

        await this.abandon();
    }

    async abandon() {
        this.closed = true;
        this.pc?.close();
        await this.end();
    }

    async end() {
        const resource = this.resource;

        this.resource = null;

        if (resource) {
            await fetch(resource, { method: 'DELETE',
                                    headers: this.headers(),
                                    keepalive: true });
        }
    }

    headers(more = {}) {
        return { Authorization: `Bearer ${this.token}`, ...more };
    }
}


function attribute(sdp, name) {
    return sdp.match(new RegExp(`^a=${name}:(.*)$`, 'm'))[1].trim();
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
