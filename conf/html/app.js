import { WhipClient } from './whip.js';
import { testSource } from './test-source.js';

/*
 * Everything the page asks can come in its address, so that it can be linked
 * to and driven: call, name, token, codec (vp8, vp9, av1, h264), bitrate,
 * participant, role (screen), source=test (with color and frequency),
 * simulcast=1, screen=test (a second video), join=1.  The token may stand
 * behind '#' instead, where servers do not log it.
 */

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const hash = new URLSearchParams(location.hash.slice(1));

$('call').value = query.get('call') || 'room123';
$('name').value = query.get('name') || '';
$('token').value = hash.get('token') || query.get('token') || '';

$('simulcast').checked = query.has('simulcast');

/* both sessions of one who shares the screen; a token's own id goes first */
const participant = query.get('participant')
    || `guest-${Math.random().toString(36).slice(2, 10)}`;

let whip = null, stream = null, screen = null, recordingId = null;
let rateTimer = null;


async function source() {
    if (query.get('source') === 'test') {
        return testSource({
            name: $('name').value || 'Test',
            color: query.get('color') || '#3d7dca',
            frequency: Number(query.get('frequency')) || 880,
        });
    }

    if (!navigator.mediaDevices) {
        throw new Error('Browsers give pages a camera on https and on '
                        + 'localhost only.');
    }

    return navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 } },
        audio: query.has('raw-audio')
            ? { echoCancellation: false, noiseSuppression: false,
                autoGainControl: false }
            : true,
    });
}


function endpoint(role) {
    const params = new URLSearchParams({ participant });

    for (const [key, value] of [['name', $('name').value], ['role', role]]) {
        if (value) {
            params.set(key, value);
        }
    }

    return `/whip/${$('call').value}?${params}`;
}


async function join() {
    showState('connecting');
    $('publish').disabled = true;

    stream = await source();

    if (query.get('screen') === 'test') {
        const second = await testSource({ name: 'Screen', color: '#7a3db8',
                                          frequency: 0 });
        stream.addTrack(second.getVideoTracks()[0]);
    }

    $('preview').srcObject = stream;
    $('empty').hidden = true;

    whip = new WhipClient(endpoint(query.get('role')), $('token').value, {
        codec: query.get('codec') || '',
        maxBitrate: Number(query.get('bitrate')) || 0,
        simulcast: $('simulcast').checked,
    });
    window.whip = whip;
    whip.addEventListener('state', (e) => showState(e.detail));

    await whip.publish(stream);
    rateTimer = setInterval(showRate, 1000);
}


async function leave() {
    clearInterval(rateTimer);
    lastAt = 0;
    await unshare();
    await whip?.close();
    (stream?.stop ?? (() => stream?.getTracks().forEach((t) => t.stop())))();
    whip = stream = null;
    $('preview').srcObject = null;
    $('empty').hidden = false;
    $('rate').hidden = true;
    showState('not connected');
}


/* The screen is a session of its own, of the same participant. */
async function share() {
    if (screen) {
        return unshare();
    }

    const display = await navigator.mediaDevices.getDisplayMedia(
        { video: { frameRate: { max: 15 } } });
    const client = new WhipClient(endpoint('screen'), $('token').value);

    screen = { client, display };
    display.getVideoTracks()[0].addEventListener('ended', unshare);
    showSharing();

    await client.publish(display).catch((error) => {
        unshare();
        throw error;
    });
}


async function unshare() {
    const { client, display } = screen ?? {};

    screen = null;
    showSharing();
    display?.getTracks().forEach((t) => t.stop());
    await client?.close();
}


function showSharing() {
    $('screen').setAttribute('aria-pressed', screen !== null);
    $('screen').textContent = screen ? 'Stop sharing' : 'Share screen';
}


function showState(state) {
    $('state').textContent = state;
    $('state').dataset.state = state;
    $('publish').disabled = whip !== null;
    $('leave').disabled = whip === null;
    $('screen').disabled = state !== 'connected';

    for (const id of ['call', 'name', 'token', 'simulcast']) {
        $(id).disabled = whip !== null;
    }
}


/* What really leaves, from the browser's own counters; all layers. */
let lastBytes = 0, lastAt = 0;

async function showRate() {
    const layers = [...(await whip.pc.getStats()).values()]
        .filter((r) => r.type === 'outbound-rtp' && r.kind === 'video');

    if (!layers.length) {
        return;
    }

    const bytes = layers.reduce((sum, r) => sum + r.bytesSent, 0);
    const at = layers[0].timestamp;
    const largest = layers.reduce((a, b) =>
        (b.frameWidth ?? 0) > (a.frameWidth ?? 0) ? b : a);

    if (lastAt) {
        window.rateKbps = (bytes - lastBytes) * 8 / (at - lastAt);
        $('rate').hidden = false;
        $('rate').textContent = `${Math.round(window.rateKbps)} kbit/s, `
            + `${largest.frameWidth ?? 0}×${largest.frameHeight ?? 0}`;
    }

    lastBytes = bytes;
    lastAt = at;
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
    const answer = await res.json().catch(() => ({
        error: { message: `The server answered ${res.status}.` },
    }));

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
    if (!$('form').reportValidity()) {
        return;
    }

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


const OVER = ['completed', 'failed', 'aborted', 'expired', 'deleted'];

/* Follows one recording by long-poll until it ends; a server that is away for
 * a moment is asked again. */
async function follow(id) {
    recordingId = id;
    $('record').disabled = true;
    $('stop').disabled = false;

    try {
        for (let rev = 0, tries = 0; recordingId === id;) {
            const data = await api('GET', `${id}?wait=20&rev=${rev}`)
                .catch((error) => {
                    if (!(error instanceof TypeError) || ++tries > 30) {
                        throw error;
                    }
                });

            if (!data) {
                await new Promise((resolve) => setTimeout(resolve, 1000));
                continue;
            }

            rev = data.rev;
            tries = 0;
            showRecording(data);

            if (OVER.includes(data.status)) {
                break;
            }
        }

    } finally {
        clearInterval(clock);
        $('record').disabled = false;
        $('stop').disabled = true;
    }
}


/* Which of the steps (record, mix, ready) a status belongs to. */
const STEP = { processing: 1, uploading: 1, completed: 3, deleted: 3 };

let clock = null, lastStep = 0;

function showRecording(data) {
    const { status } = data;
    const failed = OVER.includes(status) && STEP[status] !== 3;
    const step = failed ? lastStep : STEP[status] ?? 0;

    lastStep = step;

    $('rid').textContent = data.recordingId;
    $('status').textContent = status;
    $('status').dataset.state = status;
    $('stop').disabled = OVER.includes(status) || step > 0
        || status === 'stopping';

    [...$('steps').children].forEach((li, i) => {
        li.className = i < step ? 'done'
            : i > step ? '' : failed ? 'bad' : 'now';
    });

    $('progress').hidden = step !== 1 || failed;
    $('progress').value = data.progress?.pct ?? 0;

    $('detail').classList.toggle('bad', failed);
    clearInterval(clock);
    showDetail(data, 0);

    if (status === 'recording') {
        const from = Date.now();

        clock = setInterval(() => showDetail(data, Date.now() - from), 500);
    }

    $('outputs').replaceChildren(...(data.outputs ?? []).map(showOutput));
}


function showDetail(data, sinceMs) {
    const people = (data.participants ?? []).length;
    const who = people ? `${people} participant${people === 1 ? '' : 's'}`
                       : 'waiting for somebody to join';
    const mixing = STEP[data.status] === 1
        ? `, mixed to ${data.progress?.pct ?? 0} %` : '';

    $('detail').textContent = data.error
        ? data.error.message
        : `${time((data.durationMs ?? 0) + sinceMs)}, ${who}${mixing}`;
}


/* m:ss, h:mm:ss */
function time(ms) {
    const s = Math.floor(ms / 1000), h = Math.floor(s / 3600);
    const two = (n) => String(n).padStart(2, '0');

    return `${h ? `${h}:${two(Math.floor(s / 60) % 60)}`
                : Math.floor(s / 60)}:${two(s % 60)}`;
}


function showOutput(o) {
    const li = document.createElement('li');
    const where = document.createElement('small');

    where.textContent = decodeURI(o.location).replace(/^file:\/\//, '');
    li.append([o.kind, o.format?.toUpperCase(), `${o.width}×${o.height}`,
               time(o.durationMs), `${(o.sizeBytes / 1e6).toFixed(2)} MB`]
              .filter(Boolean).join(' · '), where);

    return li;
}


function act(button, what) {
    button.addEventListener('click', (e) => {
        e.preventDefault();
        $('error').hidden = true;
        what().catch(fail);
    });
}


const PLAIN = {
    NotAllowedError: 'The browser was not allowed to use camera, microphone '
        + 'or screen.',
    NotFoundError: 'There is no camera or no microphone.',
    NotReadableError: 'Camera or microphone are in use elsewhere.',
    TypeError: 'The server cannot be reached.',
};

function fail(error) {
    console.error(error);
    $('error').hidden = false;
    $('error').textContent = PLAIN[error.name] ?? error.message;
}


function showCommand() {
    $('command').textContent = `make token CALL=${$('call').value}`;
}


$('form').addEventListener('submit', (e) => {
    e.preventDefault();
    $('error').hidden = true;
    join().catch((error) => leave().finally(() => fail(error)));
});
$('call').addEventListener('input', showCommand);
act($('leave'), leave);
act($('screen'), share);
act($('record'), record);
act($('stop'), () => api('POST', 'stop', {}));
addEventListener('pagehide', () => {
    whip?.abandon();
    screen?.client.abandon();
});
showCommand();

if (query.has('join')) {
    $('form').requestSubmit();
}
