/*
 * Runs in the page, before its own scripts: notes when the fake camera
 * flashes and the fake microphone beeps.  Chromium starts the two devices at
 * different moments, so this is what a recording's picture and sound have to
 * be compared with.
 *
 * window.sourceMeter() returns { flashes: [ms], beeps: [ms] } on the page's
 * clock.  Frames carry time stamps of clocks of their own; the frame that
 * came with the least delay ties each of them to the page's.
 */

const flashes = [], beeps = [];
let videoDelay = Infinity, audioDelay = Infinity;

window.sourceMeter = () => ({
    flashes: flashes.map((t) => t + videoDelay),
    beeps: beeps.map((t) => t + audioDelay),
});

const getUserMedia = navigator.mediaDevices.getUserMedia
    .bind(navigator.mediaDevices);

navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await getUserMedia(constraints);

    watchVideo(stream.getVideoTracks()[0].clone());
    watchAudio(stream.getAudioTracks()[0].clone());

    return stream;
};


async function* media(track) {
    const reader = new MediaStreamTrackProcessor({ track }).readable
        .getReader();

    for (;;) {
        const { done, value } = await reader.read();

        if (done) {
            return;
        }

        yield value;
        value.close();
    }
}


/* The luma of a corner: 255 in a flash, much less on every card. */
async function watchVideo(track) {
    const rect = { x: 0, y: 0, width: 16, height: 16 };
    let bytes, bright = true;

    for await (const frame of media(track)) {
        const time = frame.timestamp / 1000;

        videoDelay = Math.min(videoDelay, performance.now() - time);

        bytes ??= new Uint8Array(frame.allocationSize({ rect }));
        await frame.copyTo(bytes, { rect });

        if (bytes[0] > 220 && !bright) {
            flashes.push(time);
        }

        bright = bytes[0] > 220;
    }
}


async function watchAudio(track) {
    let samples, quiet = 0;

    for await (const data of media(track)) {
        const time = data.timestamp / 1000;
        const ms = 1000 / data.sampleRate;

        /* it comes when its last sample has been heard */
        audioDelay = Math.min(audioDelay, performance.now()
                              - (time + data.numberOfFrames * ms));

        samples ??= new Float32Array(data.numberOfFrames);
        data.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });

        for (let i = 0; i < samples.length; i++) {
            if (Math.abs(samples[i]) < 0.05) {
                quiet++;
                continue;
            }

            /* after 100 ms of silence */
            if (quiet > data.sampleRate / 10) {
                beeps.push(time + i * ms);
            }

            quiet = 0;
        }
    }
}
