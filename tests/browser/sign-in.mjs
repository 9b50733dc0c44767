// Somebody signs in at the provider with a browser, and signs out of both.
import { assert, inspect, person, report, settings, withBrowser } from './support.mjs';

const { origin, issuer, account } = settings;

await withBrowser(async (browser) => {
  const { context, page } = await person(browser);
  await page.goto(`${origin}/auth/apps`);
  assert(page.url().startsWith(issuer), 'somebody unknown is sent to the provider');
  await page.fill('input[name=account]', account);
  await page.click('button');
  await page.waitForURL(`${origin}/auth/apps`);
  const who = await page.textContent('.who span');
  await inspect(page, 'apps-empty-en');
  const cookies = await context.cookies(origin);
  const visit = cookies.find(({ name }) => name === 'throughline-visit');
  await page.click('.who button');
  await page.waitForURL(`${issuer}/session/end**`);
  await page.click('button[name=logout]');
  await page.waitForURL(`${origin}/auth/logout**`);
  await page.goto(`${origin}/auth/apps`);
  report({ who, httpOnly: visit.httpOnly, sameSite: visit.sameSite, after: new URL(page.url()).origin });
});
