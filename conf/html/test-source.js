/*
 * A camera and microphone for those who have none: a coloured card with the
 * name and a clock; each second it flashes white and beeps for 100 ms, so
 * that eye and ear can tell whether a recording is in sync.
 */

const WIDTH = 640, HEIGHT = 480, FPS = 25;
const FLASH_MS = 100;

export async function testSource({ name, color, frequency }) {
    const canvas = Object.assign(document.createElement('canvas'),
                                 { width: WIDTH, height: HEIGHT });
    const draw = canvas.getContext('2d', { alpha: false });

    const audio = new AudioContext({ sampleRate: 48000, latencyHint: 0 });
    await audio.resume();
    const out = audio.createMediaStreamDestination();
    const gain = audio.createGain();
    const tone = audio.createOscillator();

    gain.gain.value = 0;
    tone.frequency.value = frequency;
    tone.connect(gain).connect(out);
    tone.start();

    let flashUntil = 0, next = performance.now() + 1000;
    const flashes = [];

    const timer = setInterval(() => {
        const now = performance.now();

        if (now >= next) {
            /* picture and sound change in the same turn of the event loop */
            gain.gain.setValueAtTime(0.5, audio.currentTime);
            gain.gain.setValueAtTime(0, audio.currentTime + FLASH_MS / 1000);
            flashUntil = now + FLASH_MS;
            flashes.push(now);
            next += 1000 * Math.max(1, Math.ceil((now - next) / 1000));
        }

        paint(draw, name, now < flashUntil ? '#ffffff' : color, now);
    }, 1000 / FPS);

    const stream = new MediaStream([
        ...canvas.captureStream(FPS).getVideoTracks(),
        ...out.stream.getAudioTracks(),
    ]);

    stream.stop = () => {
        clearInterval(timer);
        stream.getTracks().forEach((t) => t.stop());
        audio.close();
    };
    stream.flashes = flashes;

    return stream;
}


function paint(draw, name, background, now) {
    draw.fillStyle = background;
    draw.fillRect(0, 0, WIDTH, HEIGHT);

    /* something that moves, so that a frozen picture shows */
    const angle = now / 1000 * Math.PI;
    draw.fillStyle = 'rgba(0, 0, 0, 0.35)';
    draw.beginPath();
    draw.arc(WIDTH / 2 + Math.cos(angle) * 200,
             HEIGHT - 70 + Math.sin(angle) * 30, 22, 0, 2 * Math.PI);
    draw.fill();

    draw.fillStyle = 'rgba(0, 0, 0, 0.8)';
    draw.textAlign = 'center';
    draw.font = '600 64px sans-serif';
    draw.fillText(name, WIDTH / 2, 130, WIDTH - 40);
    draw.font = '36px monospace';
    draw.fillText((now / 1000).toFixed(2), WIDTH / 2, 190);
}
