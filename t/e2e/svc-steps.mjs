/*
 * For browser.mjs --steps: the video is sent in the layers that the page's
 * address asks for (svc=L3T3); the step is named for those that are sent.
 */

export function init() {
    const { addTransceiver } = RTCPeerConnection.prototype;
    const scalabilityMode = new URLSearchParams(location.search).get('svc');

    RTCPeerConnection.prototype.addTransceiver = function (track, options) {
        if (track.kind === 'video') {
            options = { ...options, sendEncodings: [{ scalabilityMode }] };
        }

        return addTransceiver.call(this, track, options);
    };
}


export async function steps(page, step) {
    step(await page.evaluate(() => new URLSearchParams(location.search)
        .get('svc')));
}
