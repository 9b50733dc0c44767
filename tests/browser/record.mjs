// A record's page, opened from the disk: it asks for nothing, runs nothing, and axe finds nothing.
import { assert, inspect, person, report, settings, withBrowser } from './support.mjs';

await withBrowser(async (browser) => {
  const { page } = await person(browser);
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(settings.page);
  await inspect(page, settings.name);
  assert.deepEqual(asked, [settings.page], 'nothing is asked for but the page');
  const seen = await page.evaluate(() => ({
    title: document.title,
    language: document.documentElement.lang,
    headings: [...document.querySelectorAll('h1, h2')].length,
    scripts: document.scripts.length,
    links: [...document.links].filter((link) => !link.getAttribute('href').startsWith('#')).length,
  }));
  report(seen);
});
