// What every browser test needs: Debian's Chromium, axe, screenshots, and a way to fail.
import { readFile } from 'node:fs/promises';
import { existsSync, mkdirSync } from 'node:fs';
import assert from 'node:assert/strict';
import { join } from 'node:path';

const tools = new URL('../../.tools/node_modules/', import.meta.url);
const { chromium } = (await import(new URL('playwright-core/index.mjs', tools))).default
  ?? (await import(new URL('playwright-core/index.mjs', tools)));
const axeSource = await readFile(new URL('axe-core/axe.min.js', tools), 'utf8');

export { assert, tools };
export const settings = JSON.parse(process.env.BROWSER_TEST ?? '{}');

const plain = ['--no-sandbox', '--disable-dev-shm-usage'];

/** Debian's Chromium. */
function installed() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  assert(executablePath, 'Chromium is not installed: the Debian package chromium');
  return executablePath;
}

/** A browser whose one profile is in a folder, so that others can look with it. */
export function launch(folder, more) {
  const args = [...plain, ...more];
  return chromium.launchPersistentContext(folder, { executablePath: installed(), args, locale: 'en-US' });
}

/** A browser for the length of a test. */
export async function withBrowser(test) {
  const browser = await chromium.launch({ executablePath: installed(), args: plain });
  try {
    return await test(browser);
  } finally {
    await browser.close();
  }
}

/** A person at a browser of their own: no script runs on a page of ours, as the pages promise. */
export async function person(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return { context, page };
}

/** Looks at a page in both themes and at three widths: axe finds nothing, nothing is cut off. */
export async function inspect(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of [320, 768, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(overflow <= 0, `${name} is ${overflow} px too wide at ${width} px`);
      if (width !== 768) {
        const found = await findings(page);
        assert.deepEqual(found, [], `axe on ${name}, ${colorScheme}, ${width} px`);
      }
      const folder = process.env.THROUGHLINE_SCREENSHOTS;
      if (folder) {
        mkdirSync(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      }
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** What axe finds against WCAG 2.2 AA and its own good practice. */
async function findings(page) {
  // axe is evaluated by the debugger, so that the page's policy need not allow it.
  // Colours that are on their way to others are neither.
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished)));
  await page.evaluate(axeSource);
  const results = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
}

/** Presses Tab until what is focused matches, as somebody without a mouse would. */
export async function tabTo(page, selector) {
  for (let presses = 0; presses < 200; presses += 1) {
    await page.keyboard.press('Tab');
    const there = await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);
    if (there) {
      const outline = await page.evaluate(() => {
        const focused = document.activeElement;
        const shown = focused.closest('.choice') ?? focused;
        return getComputedStyle(shown).outlineStyle;
      });
      assert.notEqual(outline, 'none', `the focus on ${selector} cannot be seen`);
      return;
    }
  }
  assert.fail(`${selector} cannot be reached with the keyboard`);
}

/** Says on one line what was seen. */
export function report(seen) {
  console.log(JSON.stringify(seen));
}
