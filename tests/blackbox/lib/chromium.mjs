// Chromium, headless, on a machine without a display and without root's sandbox.

import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { findProgram } from './processes.mjs';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

// Debian's shell is the engine without its windows. With them, a page costs four times as much.
const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

function launch() {
  const executablePath = findProgram(...PROGRAMS);
  if (!executablePath) throw new Error('there is no Chromium: make deps-test installs it');
  return chromium.launch({ executablePath, args: FLAGS, timeout: 120000 });
}

// The one browser of this process: it starts for the first context, and ends after the last test.
let browser;
after(async () => (await browser)?.close());

// A context of playwright, which shares nothing with another: no storage, no cache.
export async function newContext(options) {
  browser ??= launch();
  return (await browser).newContext(options);
}

// Closes every context, with its pages.
export async function closeContexts() {
  for (const context of (await browser)?.contexts() ?? []) await context.close();
}

/*
 * Collects what goes wrong in a page, in the array that it returns: exceptions, and what its console
 * says at these levels, less what `known` matches.
 */
export function faultsOf(page, { levels = ['error'], known } = {}) {
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.stack ?? String(error)));
  page.on('console', (message) => {
    if (levels.includes(message.type()) && !known?.test(message.text())) faults.push(message.text());
  });
  return faults;
}
