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
