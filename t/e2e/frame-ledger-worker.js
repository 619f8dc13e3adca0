/* Notes each frame on its way from the encoder to the network. */

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let i = 0; i < 8; i++) {
        n = n & 1 ? n >>> 1 ^ 0xedb88320 : n >>> 1;
    }

    return n;
});


function crc32(bytes) {
    let crc = 0xffffffff;

    for (const byte of bytes) {
        crc = crc >>> 8 ^ CRC[(crc ^ byte) & 0xff];
    }

    return (crc ^ 0xffffffff) >>> 0;
}


onrtctransform = async ({ transformer: { readable, writable, options } }) => {
    const reader = readable.getReader(), writer = writable.getWriter();

    for (;;) {
        const { done, value: frame } = await reader.read();

        if (done) {
            return;
        }

        const meta = frame.getMetadata();
        let bytes = new Uint8Array(frame.data);

        /* AV1's temporal delimiter is not sent */
        if (meta.mimeType === 'video/AV1' && bytes[0] === 0x12) {
            bytes = bytes.subarray(2);
        }

        postMessage({ kind: options.kind,
                      frame: [meta.rtpTimestamp ?? frame.timestamp,
                              bytes.length, crc32(bytes), meta.width,
                              meta.height] });
        writer.write(frame);
    }
};
