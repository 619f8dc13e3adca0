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

        const bytes = new Uint8Array(frame.data);

        postMessage({ kind: options.kind,
                      frame: [frame.getMetadata().rtpTimestamp
                              ?? frame.timestamp,
                              bytes.length, crc32(bytes)] });
        writer.write(frame);
    }
};
