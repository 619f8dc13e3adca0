/*
 * Debian's Firefox, headless, with fake devices, by its own remote protocol:
 * Marionette, JSON with its length in front over TCP.  No driver between.
 *
 *     const page = await launchFirefox();
 *     await page.goto(url);
 *     await page.evaluate(() => document.title);
 *     await page.close();
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 60000;

const PREFS = {
    'marionette.port': 0,
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.autoplay.default': 0,
    'media.gmp-manager.updateEnabled': false,

    /* nothing of its own on the network */
    'app.update.disabledForTesting': true,
    'browser.aboutwelcome.enabled': false,
    'browser.safebrowsing.downloads.enabled': false,
    'browser.safebrowsing.malware.enabled': false,
    'browser.safebrowsing.phishing.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.startup.page': 0,
    'datareporting.policy.dataSubmissionEnabled': false,
    'extensions.systemAddon.update.enabled': false,
    'extensions.update.enabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'services.settings.server': 'data:,#remote-settings-dummy/v1',
    'toolkit.telemetry.enabled': false,
};


class Marionette {

    constructor(socket) {
        this.socket = socket;
        this.waiting = new Map();
        this.last = 0;
        this.data = Buffer.alloc(0);

        socket.on('data', (data) => this.receive(data));
        socket.on('error', () => {});
        socket.on('close', () => {
            this.waiting.forEach(({ reject }) => reject(
                new Error('Firefox has closed the connection')));
            this.waiting.clear();
        });
    }

    receive(data) {
        this.data = Buffer.concat([this.data, data]);

        for (;;) {
            const colon = this.data.indexOf(':');
            const end = colon + 1 + Number(this.data.toString('latin1', 0,
                                                              colon));

            if (colon < 0 || this.data.length < end) {
                return;
            }

            const message = JSON.parse(this.data.toString('utf8', colon + 1,
                                                          end));
            this.data = this.data.subarray(end);

            /* the first one is a greeting */
            if (Array.isArray(message)) {
                this.answer(message);
            }
        }
    }

    answer([, id, error, result]) {
        const { resolve, reject } = this.waiting.get(id);

        this.waiting.delete(id);

        if (error) {
            reject(new Error(error.message));
        } else {
            resolve(result);
        }
    }

    send(name, params = {}) {
        const text = JSON.stringify([0, ++this.last, name, params]);

        return new Promise((resolve, reject) => {
            if (this.socket.closed) {
                reject(new Error('Firefox is gone'));
            }

            this.waiting.set(this.last, { resolve, reject });
            this.socket.write(`${Buffer.byteLength(text)}:${text}`);
        });
    }
}


class Page {

    constructor(child, profile, marionette) {
        this.child = child;
        this.profile = profile;
        this.marionette = marionette;
        this.pid = child.pid;
    }

    goto(url) {
        return this.marionette.send('WebDriver:Navigate', { url });
    }

    async evaluate(fn) {
        const { value } = await this.marionette.send(
            'WebDriver:ExecuteScript',
            { script: `return (${fn})()`, args: [], sandbox: null });
        return value;
    }

    async screenshot({ path }) {
        const { value } = await this.marionette.send(
            'WebDriver:TakeScreenshot', { full: true });
        writeFileSync(path, Buffer.from(value, 'base64'));
    }

    async close() {
        const gone = new Promise((resolve) => this.child.on('exit', resolve));

        if (this.child.exitCode === null && this.child.signalCode === null) {
            this.marionette?.send('Marionette:Quit',
                                  { flags: ['eForceQuit'] }).catch(() => {});
            const timer = setTimeout(() => this.child.kill('SIGKILL'), 10000);

            await gone;
            clearTimeout(timer);
        }

        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
}


export async function launchFirefox() {
    const profile = mkdtempSync(join(tmpdir(), 'callrec-firefox-'));

    writeFileSync(join(profile, 'user.js'), Object.entries(PREFS)
        .map(([name, value]) => `user_pref(${JSON.stringify(name)}, `
                                + `${JSON.stringify(value)});\n`).join(''));

    /* its processes are a group, so that all can be killed together */
    const child = spawn('firefox-esr',
                        ['--headless', '--marionette', '--no-remote',
                         '--profile', profile, 'about:blank'],
                        { stdio: 'ignore', detached: true,
                          env: { ...process.env, HOME: profile } });
    const page = new Page(child, profile, null);

    try {
        const port = await activePort(child, profile);
        const socket = connect(port, '127.0.0.1');

        page.marionette = new Marionette(socket);
        await page.marionette.send('WebDriver:NewSession', {});

    } catch (e) {
        await page.close();
        throw e;
    }

    return page;
}


/* The port that it has chosen stands in its profile, once it listens. */
async function activePort(child, profile) {
    const deadline = Date.now() + START_TIMEOUT_MS;
    const file = join(profile, 'MarionetteActivePort');

    child.on('error', () => {});

    while (Date.now() < deadline && child.exitCode === null) {
        try {
            const port = Number(readFileSync(file, 'utf8'));

            if (port) {
                return port;
            }
        } catch {
            /* not yet */
        }

        await sleep(100);
    }

    throw new Error('Firefox does not start');
}
