/*
 * For browser.mjs --steps: for ten seconds, how many kbit/s the browser thinks
 * that it may send, which is what feedback has told it; a step each.
 */

export function init() {
    const { addTransceiver } = RTCPeerConnection.prototype;

    RTCPeerConnection.prototype.addTransceiver = function (...args) {
        window.connection = this;

        return addTransceiver.apply(this, args);
    };
}


export async function steps(page, step) {
    const end = Date.now() + 10000;

    while (Date.now() < end) {
        step(await page.evaluate(estimate));
        await page.waitForTimeout(500);
    }
}


async function estimate() {
    const pair = [...(await window.connection.getStats()).values()]
        .find((s) => s.type === 'candidate-pair' && s.nominated);

    return Math.round((pair?.availableOutgoingBitrate ?? 0) / 1000);
}
