/*
 * Runs in the page, before its own scripts: every frame that the browser has
 * encoded and is about to send is noted, by its size and CRC-32, so that a
 * recording can be compared with it byte for byte.
 *
 * await window.frameLedger() returns { video, audio: [[rtpTimestamp, size,
 * crc, width, height], ...], stats: { video, audio } } of the last connection, with what
 * the browser itself counts.
 */

const ledger = { video: [], audio: [] };
const worker = new Worker('frame-ledger-worker.js');
let connection;

worker.onmessage = ({ data: { kind, frame } }) => ledger[kind].push(frame);

window.frameLedger = async () => ({ ...ledger, stats: await counters() });

const { addTransceiver } = RTCPeerConnection.prototype;

RTCPeerConnection.prototype.addTransceiver = function (track, ...more) {
    const transceiver = addTransceiver.call(this, track, ...more);

    connection = this;
    transceiver.sender.transform = new RTCRtpScriptTransform(
        worker, { kind: track.kind });

    return transceiver;
};


async function counters() {
    const stats = {};

    for (const report of (await connection.getStats()).values()) {
        if (report.type === 'outbound-rtp') {
            const { framesEncoded, keyFramesEncoded, framesSent,
                    packetsSent, nackCount, pliCount,
                    retransmittedPacketsSent, scalabilityMode } = report;

            stats[report.kind] = { framesEncoded, keyFramesEncoded,
                                   framesSent, packetsSent, nackCount,
                                   pliCount, retransmittedPacketsSent,
                                   scalabilityMode };
        }
    }

    return stats;
}
