/*
 * What people and their machines do to a clock in the middle of a call
 * (browser.mjs --steps).
 */

import { setTimeout as sleep } from 'node:timers/promises';

const CALM_MS = 8000;


/* In the page, before its own scripts. */
export function init() {
    const PeerConnection = window.RTCPeerConnection;

    window.RTCPeerConnection = class extends PeerConnection {
        constructor(...args) {
            super(...args);
            window.connection = this;
        }
    };
}


const sender = `(kind) => window.connection.getSenders()
    .find((s) => s.track?.kind === kind)`;


function enable(page, kind, enabled) {
    return page.evaluate(`(${sender})('${kind}').track.enabled = ${enabled}`);
}


/* Another device: the old one is given back first, as pages do it. */
function replace(page, kind) {
    return page.evaluate(`(async () => {
        const s = (${sender})('${kind}');

        s.track.stop();
        const stream = await navigator.mediaDevices.getUserMedia({
            ${kind}: ${kind === 'video'}
                || { echoCancellation: false, noiseSuppression: false,
                     autoGainControl: false },
        });
        await s.replaceTrack(stream.getTracks()[0]);
    })()`);
}


/* The page's process, and no other's. */
async function renderers(page) {
    const cdp = await page.context().browser().newBrowserCDPSession();
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');

    return processInfo.filter((p) => p.type === 'renderer').map((p) => p.id);
}


export async function steps(page, step) {
    const cdp = await page.context().newCDPSession(page);

    step('calm');
    await sleep(CALM_MS);

    step('muting');
    await enable(page, 'audio', false);
    await sleep(4000);
    await enable(page, 'audio', true);
    step('muted');
    await sleep(CALM_MS);

    step('microphone');
    await replace(page, 'audio');
    step('other microphone');
    await sleep(CALM_MS);

    step('camera');
    await replace(page, 'video');
    step('other camera');
    await sleep(CALM_MS);

    step('freezing');
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
    await sleep(5000);
    await cdp.send('Page.setWebLifecycleState', { state: 'active' });
    step('frozen');
    await sleep(CALM_MS);

    const pids = await renderers(page);

    step('stopping');
    pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
    await sleep(4000);
    pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
    step('stopped');
    await sleep(CALM_MS);
}
