// From a request to its copy: a client, the therapist, the privacy officer and a parent, each by
// keyboard where they decide something; every page inspected, in both languages.
import { assert, inspect, person, report, settings, tabTo, withBrowser } from './support.mjs';

const { origin, ellie, lucia, karin, marisol, transfer } = settings;
let inspected = 0;
const look = async (page, name) => { await inspect(page, name); inspected += 1; };

const signIn = async (page, account, path) => {
  await page.goto(`${origin}${path}`);
  await page.click(`button[name=account][value="${account}"]`);
  await page.waitForSelector('nav.tabs');
};

/** Asks for a copy; answers the address of the request. */
async function ask(page, account) {
  await signIn(page, account, '/portal/ask?type=access');
  await page.fill('#statement', '<img src=x onerror=document.title=1>');
  await tabTo(page, 'main button[type=submit]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=status]');
  return page.url().split('?')[0];
}

/** Loads a page until something is there. */
async function until(page, address, selector) {
  for (let tries = 0; tries < 60; tries += 1) {
    await page.goto(address);
    if (await page.locator(selector).count()) return;
    await page.waitForTimeout(250);
  }
  assert.fail(`${selector} did not come`);
}

/** Chooses an outcome and a ground with the keys alone. */
async function decide(page, entry, outcome, sentence) {
  await tabTo(page, `a[href$="${entry}"]`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.sides');
  if (sentence) {
    await page.locator('label.slim', { hasText: sentence }).locator('input').focus();
    await page.keyboard.press('Space');
  }
  await page.locator('input[name=outcome]').first().focus();
  await page.keyboard.press('Space');
  for (const word of ['release', 'redact', 'deny']) {
    if (word === outcome) break;
    await page.keyboard.press('ArrowDown');
  }
  assert.equal(await page.isChecked(`input[name=outcome][value=${outcome}]`), true);
  await look(page, `desk-entry-${outcome}`);
  await tabTo(page, 'main button[type=submit]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#entries');
}

await withBrowser(async (browser) => {
  const client = await person(browser);
  const mine = await ask(client.page, ellie);
  const id = mine.split('/').pop();
  const officer = await person(browser);
  await signIn(officer.page, karin, '/staff');
  await look(officer.page, 'desk-list');
  await officer.page.goto(`${origin}/staff/quarantine`);
  await look(officer.page, 'desk-quarantine');
  await officer.page.goto(`${origin}/staff/transfers`);
  await look(officer.page, 'desk-transfers');
  await officer.page.goto(`${origin}/staff/transfers/${transfer}`);
  await look(officer.page, 'desk-transfer');
  await officer.page.goto(`${origin}/staff/requests/${id}`);
  await look(officer.page, 'desk-request');
  await tabTo(officer.page, 'button[name=step][value=review_started]');
  await officer.page.keyboard.press('Enter');
  await officer.page.waitForLoadState();

  const therapist = await person(browser);
  await signIn(therapist.page, marisol, `/staff/requests/${id}`);
  await therapist.page.goto(`${origin}/staff/transfers`);
  await look(therapist.page, 'desk-transfers-prepare');
  await therapist.page.selectOption('#client', ellie);
  await tabTo(therapist.page, '#reason');
  await therapist.page.keyboard.type('Moves to Boulder');
  await tabTo(therapist.page, 'main button[type=submit]');
  await therapist.page.keyboard.press('Enter');
  await therapist.page.waitForSelector('button[name=step][value=approve]');
  await tabTo(therapist.page, 'button[name=step][value=approve]');
  await therapist.page.keyboard.press('Enter');
  await therapist.page.waitForSelector('ol.timeline li');
  const handed = await therapist.page.textContent('ol.timeline');
  await therapist.page.goto(`${origin}/staff/requests/${id}`);
  await decide(therapist.page, 'note_x1', 'deny');
  await decide(therapist.page, 'note_x2', 'redact', 'ZZSENTENCE');
  await look(therapist.page, 'desk-decided');

  await until(officer.page, `${origin}/staff/requests/${id}`, 'form[action="/staff/copies"]');
  await tabTo(officer.page, 'form[action="/staff/copies"] button');
  await officer.page.keyboard.press('Enter');
  await officer.page.waitForLoadState();
  await until(client.page, mine, 'form[action="/portal/copy"]');
  await look(client.page, 'portal-copy');
  await tabTo(client.page, '#password');
  await client.page.keyboard.type('correct horse battery');
  const taking = client.page.waitForEvent('download');
  await client.page.keyboard.press('Tab');
  await client.page.keyboard.press('Enter');
  const file = await taking;
  await client.page.goto(`${origin}/portal/seen?own=1`);
  const log = await client.page.textContent('main');
  await client.page.goto(`${origin}/portal`);
  const title = await client.page.title();

  const parent = await person(browser, { locale: 'es-ES' });
  const theirs = await ask(parent.page, lucia);
  await until(parent.page, theirs, 'form[action="/portal/copy"]');
  await look(parent.page, 'portal-copy-es');
  const second = await person(browser, { locale: 'es-ES' });
  await signIn(second.page, karin, `/staff/requests/${id}`);
  await look(second.page, 'desk-request-es');
  await second.page.goto(`${origin}/staff/requests/${id}/entries/note_x2`);
  await look(second.page, 'desk-entry-es');
  await second.page.goto(`${origin}/staff/transfers`);
  await look(second.page, 'desk-transfers-es');
  await second.page.goto(`${origin}/staff/transfers/${transfer}`);
  await look(second.page, 'desk-transfer-es');
  await second.page.goto(`${origin}/staff`);
  await look(second.page, 'desk-list-es');
  report({ inspected, handed, name: file.suggestedFilename(), logged: log.includes('downloaded'), title });
});
