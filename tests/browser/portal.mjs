// The portal: every page inspected, and a copy asked for by keyboard alone.
import { assert, inspect, person, report, settings, tabTo, withBrowser } from './support.mjs';

const { origin, ellie, lucia } = settings;
let inspected = 0;
const look = async (page, name) => { await inspect(page, name); inspected += 1; };

const signIn = async (page, account, path) => {
  await page.goto(`${origin}${path}`);
  await page.click(`button[name=account][value="${account}"]`);
  await page.waitForSelector('nav.tabs');
};

async function english(browser) {
  const { context, page } = await person(browser);
  await signIn(page, ellie, '/portal');
  await look(page, 'portal-record-en');
  await page.click('a:has-text("Read"):not([href*=messages])');
  await page.waitForSelector('.words');
  await look(page, 'portal-note-en');
  await page.goto(`${origin}/portal/plan`);
  await look(page, 'portal-plan-en');
  const points = await page.locator('svg .point').count();
  await page.emulateMedia({ media: 'print' });
  const printed = await page.evaluate(() => ({
    tabs: getComputedStyle(document.querySelector('.tabs')).display,
  }));
  await page.emulateMedia({ media: 'screen' });
  await page.goto(`${origin}/portal/seen?own=1`);
  await look(page, 'portal-seen-en');
  await page.goto(`${origin}/portal/consents`);
  await look(page, 'portal-consents-en');
  await page.goto(`${origin}/portal/requests`);
  await look(page, 'portal-requests-none-en');
  const consent = await giveAndTakeBack(page);
  await context.close();
  return { points, printed, consent };
}

/** Gives a consent, sees it, and takes it back; the page has no script that could help. */
async function giveAndTakeBack(page) {
  await page.goto(`${origin}/portal/consents/give`);
  await look(page, 'portal-consent-give-en');
  await tabTo(page, 'input[name=kind]');
  await page.keyboard.press('Tab');
  await page.check('input[name=kind][value=Communication]');
  await tabTo(page, 'main button[type=submit]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('main table');
  await look(page, 'portal-consent-plan-en');
  const opened = await page.textContent('main tbody tr:has(th:has-text("Messages")) td >> nth=0');
  await tabTo(page, 'main button[type=submit]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=status]');
  await look(page, 'portal-consent-given-en');
  await page.click('main a:has-text("Take back") >> nth=0');
  await page.waitForSelector('main form');
  await look(page, 'portal-consent-end-en');
  await page.click('main button[type=submit]');
  await page.waitForSelector('[role=status]');
  return { opened };
}

/** Asks for a copy with the keys alone. */
async function keyboard(browser) {
  const { context, page } = await person(browser);
  await signIn(page, ellie, '/portal/ask');
  await look(page, 'portal-ask-en');
  await tabTo(page, 'main a[href*="type=access"]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('input[name=format]');
  await look(page, 'portal-ask-copy-en');
  await tabTo(page, 'input[name=kind]');
  await page.keyboard.press('Space');
  await tabTo(page, 'input[name=format][value=html]');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.isChecked('input[name=format][value=pdf]'), true);
  // By mail, so that it waits for somebody.
  await tabTo(page, 'input[name=media][value=portal]');
  await page.keyboard.press('ArrowDown');
  await tabTo(page, 'main button[type=submit]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=status]');
  await look(page, 'portal-request-en');
  const due = await page.textContent('main strong >> nth=1');
  await context.close();
  return due;
}

async function spanish(browser) {
  const { context, page } = await person(browser, { locale: 'es-ES' });
  await signIn(page, lucia, '/portal');
  await look(page, 'portal-proxy-es');
  await context.close();
  const second = await person(browser, { locale: 'es-ES' });
  await signIn(second.page, ellie, '/portal');
  for (const [path, name] of [['plan', 'plan'], ['requests', 'requests'], ['seen', 'seen'], ['consents', 'consents'], ['consents/give', 'consent-give']]) {
    await second.page.goto(`${origin}/portal/${path}`);
    await look(second.page, `portal-${name}-es`);
  }
  await second.page.goto(`${origin}/portal/consents`);
  await second.page.click('main a[href*="/portal/consents/end"] >> nth=0');
  await second.page.waitForSelector('main form');
  await look(second.page, 'portal-consent-end-es');
  await second.context.close();
}

await withBrowser(async (browser) => {
  const seen = await english(browser);
  const due = await keyboard(browser);
  await spanish(browser);
  report({ ...seen, due, inspected });
});
