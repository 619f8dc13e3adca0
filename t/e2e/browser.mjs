/*
 * One participant: Debian's Chromium or Firefox, headless, with fake devices,
 * on the page that conf/html serves.
 *
 *     node browser.mjs [--firefox] [--video FILE.y4m|FILE.mjpeg]
 *         [--audio FILE.wav] [--measure] [--ledger] [--steps FILE.mjs]
 *         [--screenshot FILE] URL
 *
 * Prints a JSON line for each event: {"event":"connected","ms":..,"pid":..}
 * once, {"event":"rate","kbps":..,"state":..} every second, {"event":"left"}
 * at the end.  Stays until standard input closes, then leaves as a person
 * would (DELETE of the WHIP resource).  Exits with 1 and {"event":"error"}
 * when it could not publish.
 *
 * A line on standard input is run in the page (Chromium); {"event":"did"}
 * with its result follows.
 *
 * --measure adds {"event":"source"} of source-meter.js (Chromium), --ledger
 * {"event":"ledger"} of frame-ledger.js, which the page must have.
 *
 * --steps (Chromium) runs the module's init() in the page before its own
 * scripts, and its steps(page, step) once it publishes; step(name) says
 * {"event":"step","name":..,"at":..} and, behind the last one, "done".
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { launchFirefox } from './firefox.mjs';

const { values: opt, positionals: [url] } = parseArgs({
    allowPositionals: true,
    options: {
        firefox: { type: 'boolean' },
        video: { type: 'string' },
        audio: { type: 'string' },
        measure: { type: 'boolean' },
        ledger: { type: 'boolean' },
        steps: { type: 'string' },
        screenshot: { type: 'string' },
    },
});

const steps = opt.steps ? await import(resolve(opt.steps)) : null;

const CONNECT_TIMEOUT_MS = 60000;

const say = (event, more = {}) =>
    process.stdout.write(JSON.stringify({ event, ...more }) + '\n');


/* What is done with the page, by either browser: goto, evaluate, screenshot,
 * close. */
async function launchChromium() {
    const profile = mkdtempSync(join(tmpdir(), 'callrec-browser-'));

    const args = [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        '--autoplay-policy=no-user-gesture-required',
        '--disable-background-timer-throttling',
        '--disable-renderer-backgrounding',
    ];

    if (opt.video) {
        args.push(`--use-file-for-fake-video-capture=${opt.video}`);
    }

    if (opt.audio) {
        args.push(`--use-file-for-fake-audio-capture=${opt.audio}`);
    }

    const context = await chromium.launchPersistentContext(profile, {
        executablePath: '/usr/bin/chromium', headless: true, args,
        viewport: { width: 900, height: 900 },
    }).catch((e) => {
        rmSync(profile, { recursive: true, force: true });
        throw e;
    });

    const page = context.pages()[0] ?? await context.newPage();
    page.on('pageerror', (e) => say('pageerror', { message: e.message }));

    if (opt.measure) {
        await page.addInitScript({
            path: fileURLToPath(new URL('source-meter.js', import.meta.url)),
        });
    }

    if (steps) {
        await page.addInitScript(steps.init);
    }

    return {
        raw: page,
        goto: (to) => page.goto(to),
        evaluate: (fn) => page.evaluate(fn),
        screenshot: (options) => page.screenshot(options),

        async close() {
            await context.close();
            rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
        },
    };
}


async function until(condition, ms) {
    const deadline = Date.now() + ms;

    while (!await page.evaluate(condition)) {
        if (Date.now() > deadline) {
            throw new Error(`not within ${ms} ms: ${condition}`);
        }

        await sleep(50);
    }
}


let page, status = 0;

try {
    page = opt.firefox ? await launchFirefox() : await launchChromium();

    const t0 = Date.now();
    await page.goto(url);
    await until(
        () => document.querySelector('#state').dataset.state === 'connected'
              || !document.querySelector('#error').hidden,
        CONNECT_TIMEOUT_MS);

    const error = await page.evaluate(() => {
        const e = document.querySelector('#error');
        return e.hidden ? '' : e.textContent;
    });

    if (error) {
        throw new Error(error);
    }

    say('connected', { ms: Date.now() - t0, pid: page.pid });

    const timer = setInterval(async () => {
        const rate = await page.evaluate(() => ({
            kbps: Math.round(window.rateKbps ?? 0),
            state: document.querySelector('#state').dataset.state,
        })).catch(() => null);

        if (rate) {
            say('rate', rate);
        }
    }, 1000);

    if (steps) {
        const step = (name) => say('step', { name, at: Date.now() });

        await steps.steps(page.raw, step);
        step('done');
    }

    await new Promise((resolve) => {
        createInterface({ input: process.stdin })
            .on('line', async (code) => say('did', {
                result: await page.evaluate(code).catch((e) => e.message),
            }))
            .on('close', resolve);
    });

    clearInterval(timer);

    if (opt.measure) {
        say('source', await page.evaluate(() => window.sourceMeter()));
    }

    if (opt.ledger) {
        say('ledger', await page.evaluate(() => window.frameLedger()));
    }

    if (opt.screenshot) {
        await page.screenshot({ path: opt.screenshot });
    }

    await page.evaluate(() => document.querySelector('#leave').click());
    await until(() => document.querySelector('#leave').disabled, 20000);
    say('left');

} catch (e) {
    say('error', { message: e.message });
    status = 1;

} finally {
    await page?.close().catch(() => {});
}

process.exit(status);
