// Chromium, headless, on a machine without a display and without root's sandbox.

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

// A browser of playwright, with a profile of its own.
export function launchChromium() {
  const executablePath = findProgram('chromium', 'chromium-browser', 'google-chrome');
  if (!executablePath) throw new Error('there is no Chromium: make deps-test installs it');
  return chromium.launch({ executablePath, args: FLAGS, timeout: 30000 });
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
