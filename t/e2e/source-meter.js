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

/* of each device: { kind, times, delay } */
const devices = [];

const timesOf = (kind) => devices.filter((d) => d.kind === kind)
    .flatMap((d) => d.times.map((t) => t + d.delay));

window.sourceMeter = () => ({
    origin: performance.timeOrigin,
    flashes: timesOf('video'),
    beeps: timesOf('audio'),
});

const getUserMedia = navigator.mediaDevices.getUserMedia
    .bind(navigator.mediaDevices);

navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await getUserMedia(constraints);

    for (const track of stream.getTracks()) {
        const device = { kind: track.kind, times: [], delay: Infinity };

        devices.push(device);
        (track.kind === 'video' ? watchVideo : watchAudio)(track, device);
    }

    return stream;
};


/* Of a copy, which nobody mutes, for as long as the track is used. */
async function* media(original) {
    const track = original.clone();
    const reader = new MediaStreamTrackProcessor({ track }).readable
        .getReader();

    for (;;) {
        const { done, value } = await reader.read();

        if (done || original.readyState === 'ended') {
            value?.close();
            track.stop();
            return;
        }

        yield value;
        value.close();
    }
}


/* The luma of a corner: 255 in a flash, much less on every card. */
async function watchVideo(track, device) {
    const rect = { x: 0, y: 0, width: 16, height: 16 };
    let bytes, bright = true;

    for await (const frame of media(track)) {
        const time = frame.timestamp / 1000;

        device.delay = Math.min(device.delay, performance.now() - time);

        bytes ??= new Uint8Array(frame.allocationSize({ rect }));
        await frame.copyTo(bytes, { rect });

        if (bytes[0] > 220 && !bright) {
            device.times.push(time);
        }

        bright = bytes[0] > 220;
    }
}


async function watchAudio(track, device) {
    let samples, quiet = 0;

    for await (const data of media(track)) {
        const time = data.timestamp / 1000;
        const ms = 1000 / data.sampleRate;

        /* it comes when its last sample has been heard */
        device.delay = Math.min(device.delay, performance.now()
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
                device.times.push(time + i * ms);
            }

            quiet = 0;
        }
    }
}
