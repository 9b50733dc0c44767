// Lighthouse over the portal's main pages, signed in: how they are for people with impairments, and how
// fast on a telephone with a slow line.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, launch, report, settings, tools } from './support.mjs';

const { default: lighthouse } = await import(new URL('lighthouse/core/index.js', tools));
const { origin, ellie, pages } = settings;

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-'));
const context = await launch(folder, ['--remote-debugging-port=0']);
try {
  const page = await context.newPage();
  await page.goto(`${origin}/portal`);
  await page.click(`button[name=account][value="${ellie}"]`);
  await page.waitForSelector('nav.tabs');
  const port = Number(readFileSync(join(folder, 'DevToolsActivePort'), 'utf8').split('\n')[0]);
  const seen = {};
  for (const path of pages) {
    const { lhr } = await lighthouse(`${origin}${path}`, {
      port,
      output: 'json',
      logLevel: 'error',
      onlyCategories: ['accessibility', 'performance'],
      disableStorageReset: true,
      disableFullPageScreenshot: true,
    });
    assert.equal(lhr.runtimeError, undefined, `${path}: ${lhr.runtimeError?.message}`);
    assert.equal(lhr.finalDisplayedUrl, `${origin}${path}`, 'it is the page itself that was looked at');
    const of = (name) => Math.round(lhr.categories[name].score * 100);
    const wrong = Object.values(lhr.audits).filter((audit) => audit.score !== null && audit.score < 0.9);
    seen[path] = {
      accessibility: of('accessibility'),
      performance: of('performance'),
      wrong: wrong.map((audit) => audit.id),
    };
  }
  report(seen);
} finally {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
}
