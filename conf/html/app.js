import { WhipClient } from './whip.js';
import { testSource } from './test-source.js';

/*
 * Everything the page asks can come in its address, so that it can be linked
 * to and driven: call, name, token, codec (vp8, vp9, av1, h264), bitrate,
 * participant, role (screen), source=test (with color and frequency), simulcast=1,
 * screen=test (a second video), join=1.  The token may stand
 * behind '#' instead, where servers do not log it.
 */

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const hash = new URLSearchParams(location.hash.slice(1));

$('call').value = query.get('call') || 'room123';
$('name').value = query.get('name') || '';
$('token').value = hash.get('token') || query.get('token') || '';

let whip = null, stream = null, recordingId = null, rateTimer = null;


async function source() {
    if (query.get('source') === 'test') {
        return testSource({
            name: $('name').value || 'Test',
            color: query.get('color') || '#3d7dca',
            frequency: Number(query.get('frequency')) || 880,
        });
    }

    return navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 } },
        audio: query.has('raw-audio')
            ? { echoCancellation: false, noiseSuppression: false,
                autoGainControl: false }
            : true,
    });
}


async function join() {
    const params = new URLSearchParams();

    for (const key of ['participant', 'name', 'role']) {
        const value = key === 'name' ? $('name').value : query.get(key);

        if (value) {
            params.set(key, value);
        }
    }

    stream = await source();

    if (query.get('screen') === 'test') {
        const screen = await testSource({ name: 'Screen', color: '#7a3db8',
                                          frequency: 0 });
        stream.addTrack(screen.getVideoTracks()[0]);
    }

    $('preview').srcObject = stream;

    whip = new WhipClient(`/whip/${$('call').value}?${params}`,
                          $('token').value, {
        codec: query.get('codec') || '',
        maxBitrate: Number(query.get('bitrate')) || 0,
        simulcast: query.has('simulcast'),
    });
    window.whip = whip;
    whip.addEventListener('state', (e) => showState(e.detail));

    await whip.publish(stream);
    rateTimer = setInterval(showRate, 1000);
}


async function leave() {
    clearInterval(rateTimer);
    await whip?.close();
    (stream?.stop ?? (() => stream?.getTracks().forEach((t) => t.stop())))();
    whip = stream = null;
    $('preview').srcObject = null;
    $('rate').hidden = true;
    showState('not connected');
}


function showState(state) {
    $('state').textContent = state;
    $('state').dataset.state = state;
    $('publish').disabled = whip !== null;
    $('leave').disabled = whip === null;
}


/* What really leaves, from the browser's own counters. */
let lastBytes = 0, lastAt = 0;

async function showRate() {
    for (const report of (await whip.pc.getStats()).values()) {
        if (report.type !== 'outbound-rtp' || report.kind !== 'video') {
            continue;
        }

        const kbps = (report.bytesSent - lastBytes) * 8
                     / (report.timestamp - lastAt);

        if (lastAt) {
            window.rateKbps = kbps;
            $('rate').hidden = false;
            $('rate').textContent = `${Math.round(kbps)} kbit/s, `
                + `${report.frameWidth ?? 0}×${report.frameHeight ?? 0}`;
        }

        lastBytes = report.bytesSent;
        lastAt = report.timestamp;
    }
}


async function api(method, path, body) {
    const res = await fetch(`/video-calls/${$('call').value}/recording/${path}`,
        {
            method,
            headers: {
                Authorization: `Bearer ${$('token').value}`,
                ...(body ? { 'Content-Type': 'application/json' } : {}),
            },
            body: body ? JSON.stringify(body) : undefined,
        });
    const answer = await res.json();

    if (!answer.success) {
        const error = new Error(answer.error.message);
        error.code = answer.error.code;
        error.recordingId = answer.error.recordingId;
        throw error;
    }

    return answer.data;
}


/* Somebody else of the call may have started it: then it is followed. */
async function record() {
    const data = await api('POST', 'start',
                           { startedBy: $('name').value || undefined })
        .catch((error) => {
            if (error.code === 'recording_active') {
                return error;
            }
            throw error;
        });

    await follow(data.recordingId);
}


/* Follows one recording by long-poll until it ends. */
async function follow(id) {
    recordingId = id;
    $('recording').hidden = false;
    $('record').disabled = true;
    $('stop').disabled = false;

    try {
        for (let rev = 0; recordingId === id;) {
            const data = await api('GET', `${id}?wait=20&rev=${rev}`);

            rev = data.rev;
            showRecording(data);

            if (['completed', 'failed', 'aborted', 'expired', 'deleted']
                .includes(data.status)) {
                break;
            }
        }

    } finally {
        $('record').disabled = false;
        $('stop').disabled = true;
    }
}


function showRecording(data) {
    const pct = data.progress?.pct ?? 0;
    const people = (data.participants ?? []).length;

    $('rid').textContent = data.recordingId;
    $('status').textContent = data.status;
    $('status').dataset.state = data.status;
    $('progress').value = data.status === 'completed' ? 100 : pct;
    $('detail').textContent = data.error
        ? data.error.message
        : `${people} participant${people === 1 ? '' : 's'}, `
          + `${((data.durationMs ?? 0) / 1000).toFixed(1)} s`;
    $('outputs').replaceChildren(...(data.outputs ?? []).map((o) => {
        const li = document.createElement('li');
        li.textContent = `${o.kind}: ${o.location} `
            + `(${(o.sizeBytes / 1e6).toFixed(2)} MB)`;
        return li;
    }));
}


function act(button, what) {
    button.addEventListener('click', (e) => {
        e.preventDefault();
        $('error').hidden = true;
        what().catch(fail);
    });
}


function fail(error) {
    $('error').hidden = false;
    $('error').textContent = error.message;
}


$('form').addEventListener('submit', (e) => {
    e.preventDefault();
    $('error').hidden = true;
    join().catch((error) => leave().finally(() => fail(error)));
});
act($('leave'), leave);
act($('record'), record);
act($('stop'), () => api('POST', 'stop', {}));
addEventListener('pagehide', () => whip?.close());

if (query.has('join')) {
    $('form').requestSubmit();
}
