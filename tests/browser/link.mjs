// A link is opened by somebody who has a browser and nothing else.
import { readFile } from 'node:fs/promises';
import { assert, inspect, person, report, settings, withBrowser } from './support.mjs';

await withBrowser(async (browser) => {
  const { page } = await person(browser, { acceptDownloads: true });
  const [asked, complaints] = [[], []];
  page.on('request', (request) => asked.push(request.url() + (request.postData() ?? '')));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));

  await page.goto(settings.viewer);
  await page.waitForSelector('#open:not([hidden])');
  await inspect(page, 'link-closed');
  const label = await page.textContent('#label');
  await page.fill('#recipient', 'Dr. Grey, Elm Street Practice');
  await page.fill('#passcode', 'not it');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-say=wrong]:not([hidden])');
  const wrong = await page.textContent('[data-say=wrong]');
  await inspect(page, 'link-wrong');

  await page.click('a[hreflang=es]');
  await page.waitForSelector('#open:not([hidden])');
  const spanish = await page.textContent('h1');
  await page.fill('#recipient', 'Dr. Grey, Elm Street Practice');
  await page.fill('#passcode', settings.passcode);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#record:not([hidden])');
  const frame = await (await page.waitForSelector('#frame')).contentFrame();
  await frame.waitForSelector('h1');
  const record = await frame.evaluate(() => ({
    title: document.querySelector('h1').textContent,
    name: document.querySelector('.whom').textContent,
    styled: getComputedStyle(document.querySelector('h1')).fontFamily !== getComputedStyle(document.createElement('p')).fontFamily
      && document.styleSheets.length > 0 && document.styleSheets[0].cssRules.length > 3,
  }));
  await inspect(page, 'link-open');
  const saved = {};
  for (const id of ['pdf', 'page', 'data']) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`#${id}`)]);
    const bytes = await readFile(await download.path());
    saved[id] = { name: download.suggestedFilename(), start: bytes.subarray(0, 15).toString('latin1') };
  }
  // A wrong passcode is an answer of 401, which the browser's console tells of.
  const others = complaints.filter((text) => !text.includes('401'));

  const { page: late } = await person(browser);
  await late.goto(settings.gone);
  await late.waitForSelector('#open:not([hidden])');
  await late.fill('#recipient', 'Somebody');
  await late.keyboard.press('Enter');
  await late.waitForSelector('[data-say=gone]:not([hidden])');
  await inspect(late, 'link-gone');
  await late.goto(settings.viewer.split('#')[0]);
  await late.waitForSelector('[data-say=damaged]:not([hidden])');

  const origin = new URL(settings.viewer).origin;
  assert(asked.every((url) => url.startsWith(origin) || url.startsWith('blob:') || url.startsWith('about:')), asked.join(' '));
  const toldOfKey = asked.filter((url) => url.includes(settings.key));
  report({ label, wrong, spanish, record, saved, complaints: others, toldOfKey });
});
