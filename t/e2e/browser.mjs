/*
 * One participant: Debian's Chromium, headless, with fake devices, on the
 * page that conf/html serves.
 *
 *     node browser.mjs [--video FILE.y4m|FILE.mjpeg] [--audio FILE.wav]
 *         [--measure] URL
 *
 * Prints a JSON line for each event: {"event":"connected","ms":..} once,
 * {"event":"rate","kbps":..,"width":..} every second, {"event":"left"} at
 * the end.  Stays until standard input closes, then leaves as a person would
 * (DELETE of the WHIP resource).  Exits with 1 and {"event":"error"} when it
 * could not publish.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: opt, positionals: [url] } = parseArgs({
    allowPositionals: true,
    options: {
        video: { type: 'string' },
        audio: { type: 'string' },
        measure: { type: 'boolean' },
        screenshot: { type: 'string' },
    },
});

const CONNECT_TIMEOUT_MS = 30000;

const say = (event, more = {}) =>
    process.stdout.write(JSON.stringify({ event, ...more }) + '\n');

const profile = mkdtempSync(join(tmpdir(), 'callrec-browser-'));

const args = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
    '--disable-background-timer-throttling',
    '--disable-renderer-backgrounding',
];

if (opt.video) {
    args.push(`--use-file-for-fake-video-capture=${opt.video}`);
}

if (opt.audio) {
    args.push(`--use-file-for-fake-audio-capture=${opt.audio}`);
}

let context, status = 0;

try {
    context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium', headless: true, args,
        viewport: { width: 900, height: 900 },
    });

    const page = context.pages()[0] ?? await context.newPage();
    page.on('pageerror', (e) => say('pageerror', { message: e.message }));

    if (opt.measure) {
        await page.addInitScript({
            path: fileURLToPath(new URL('source-meter.js', import.meta.url)),
        });
    }

    const t0 = Date.now();
    await page.goto(url);
    await page.waitForFunction(
        () => document.querySelector('#state').dataset.state === 'connected'
              || !document.querySelector('#error').hidden,
        null, { timeout: CONNECT_TIMEOUT_MS });

    const error = await page.evaluate(() => {
        const e = document.querySelector('#error');
        return e.hidden ? '' : e.textContent;
    });

    if (error) {
        throw new Error(error);
    }

    say('connected', { ms: Date.now() - t0 });

    const timer = setInterval(async () => {
        const rate = await page.evaluate(() => ({
            kbps: Math.round(window.rateKbps ?? 0),
            state: document.querySelector('#state').dataset.state,
        })).catch(() => null);

        if (rate) {
            say('rate', rate);
        }
    }, 1000);

    await new Promise((resolve) => {
        process.stdin.on('end', resolve).on('close', resolve).resume();
    });

    clearInterval(timer);

    if (opt.measure) {
        say('source', await page.evaluate(() => window.sourceMeter()));
    }

    if (opt.screenshot) {
        await page.screenshot({ path: opt.screenshot });
    }

    await page.click('#leave');
    await page.waitForFunction(
        () => document.querySelector('#leave').disabled, null,
        { timeout: 5000 });
    say('left');

} catch (e) {
    say('error', { message: e.message });
    status = 1;

} finally {
    await context?.close();
    rmSync(profile, { recursive: true, force: true });
}

process.exit(status);
