// A real SMART app, npm fhirclient, in a real browser: people connect it, and cut it off.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { assert, inspect, person, report, settings, tabTo, tools, withBrowser } from './support.mjs';

const { base, port, launch, ellie, lucia, marisol } = settings;
const origin = base.replace(/\/fhir$/, '');
const app = `http://127.0.0.1:${port}`;
const SCOPES = [
  'launch/patient openid fhirUser offline_access',
  'patient/Patient.rs patient/Encounter.rs patient/Condition.rs patient/Observation.rs',
  'patient/DocumentReference.rs patient/Communication.rs patient/RelatedPerson.rs',
].join(' ');

const library = await readFile(new URL('fhirclient/build/fhir-client.js', tools));
const pages = new Map(await Promise.all(['launch.html', 'app.html'].map(async (name) => (
  [`/${name}`, await readFile(new URL(`app/${name}`, import.meta.url))]
))));
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, app);
  if (pathname === '/fhir-client.js') response.setHeader('content-type', 'text/javascript').end(library);
  else if (pages.has(pathname)) response.setHeader('content-type', 'text/html').end(pages.get(pathname));
  else response.writeHead(404).end();
});
await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });

const start = async (page, scope, more = {}) => {
  const query = new URLSearchParams({ iss: base, scope, ...more });
  await page.goto(`${app}/launch.html?${query}`);
  await page.waitForURL(`${origin}/auth/**`);
};

/** Waits until the app has its token. */
const connected = async (page) => {
  await page.waitForURL(`${app}/app.html**`);
  await page.waitForFunction(() => window.client || window.failure);
  assert.equal(await page.evaluate(() => window.failure), undefined);
};

let inspected = 0;
const look = async (page, name) => { await inspect(page, name); inspected += 1; };

/** Signs in as an account of the demonstration. */
const signIn = (page, account) => page.click(`button[name=account][value="${account}"]`);

const status = (page, path) => page.evaluate(async (what) => {
  try {
    const token = window.client.state.tokenResponse.access_token;
    const url = `${window.client.state.serverUrl}/${what}`;
    return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
  } catch (error) {
    return String(error);
  }
}, path);

async function standalone(browser) {
  const { context, page } = await person(browser);
  await start(page, SCOPES);
  await look(page, 'login-en');
  await signIn(page, ellie);
  await page.waitForSelector('h1:has-text("Sleep Diary")');
  await page.click('summary >> nth=0');
  await look(page, 'consent-en');
  await page.check('input[name=stay][value="90"]');
  await page.click('button[value=allow]');
  await connected(page);
  const saw = await page.evaluate(async () => {
    const { client } = window;
    const patient = await client.patient.read();
    const user = await client.user.read();
    const sessions = await client.request(`Encounter?patient=${client.patient.id}`);
    const before = client.state.tokenResponse.access_token;
    await client.refresh();
    return {
      patient: client.patient.id,
      read: patient.id,
      user: client.user.fhirUser.split('/').slice(-2).join('/'),
      userRead: user.resourceType,
      sessions: sessions.entry?.length ?? 0,
      refreshed: client.state.tokenResponse.access_token !== before,
    };
  });
  saw.notes = await status(page, 'DocumentReference');
  assert.equal(await status(page, `Patient/${saw.patient}`), 200);

  const apps = await context.newPage();
  await apps.goto(`${origin}/auth/apps`);
  await look(apps, 'apps-en');
  await apps.click('button.danger');
  await apps.waitForSelector('[role=status]');
  await look(apps, 'apps-stopped-en');
  await apps.waitForTimeout(1000);
  saw.afterStop = await status(page, `Patient/${saw.patient}`);
  saw.refreshAfterStop = await page.evaluate(() => window.client.refresh().then(() => 'done', () => 'refused'));
  await apps.click('.who button');
  await apps.waitForURL(`${origin}/auth/logout`);
  await look(apps, 'signed-out-en');
  await context.close();
  return saw;
}

async function launched(browser) {
  const { context, page } = await person(browser);
  const scope = 'launch openid fhirUser patient/Patient.rs patient/Encounter.rs';
  await start(page, scope, { launch });
  await signIn(page, marisol);
  await page.waitForSelector('button[value=allow]');
  await look(page, 'consent-launch-en');
  await page.click('button[value=allow]');
  await connected(page);
  const saw = await page.evaluate(async () => {
    const { client } = window;
    const { tokenResponse } = client.state;
    return {
      patient: (await client.patient.read()).id,
      user: client.user.fhirUser.split('/').slice(-2).join('/'),
      banner: tokenResponse.need_patient_banner,
      intent: tokenResponse.intent,
      encounter: (await client.encounter.read()).id,
    };
  });
  await context.close();
  return saw;
}

/** A therapist chooses among their own clients, and then a session. */
async function chosen(browser) {
  const { context, page } = await person(browser);
  await start(page, 'launch/patient launch/encounter openid fhirUser patient/Patient.rs online_access');
  await signIn(page, marisol);
  await page.waitForSelector('input[name=patient]');
  await look(page, 'pick-staff-en');
  await page.check('input[name=patient] >> nth=0');
  await page.click('main button[type=submit]:not(.text)');
  await page.waitForSelector('input[name=encounter]');
  await look(page, 'pick-session-en');
  await page.check('input[name=encounter] >> nth=0');
  await page.click('main button[type=submit]:not(.text)');
  await page.waitForSelector('button[value=allow]');
  await look(page, 'consent-online-en');
  await page.check('input[name=stay][value=online]');
  await page.click('button[value=allow]');
  await connected(page);
  const saw = await page.evaluate(async () => {
    const { patient, encounter } = window.client;
    const before = window.client.state.tokenResponse.access_token;
    await window.client.refresh();
    const now = window.client.state.tokenResponse.access_token;
    return { patient: patient.id, encounter: encounter.id, refreshed: now !== before };
  });
  const apps = await context.newPage();
  await apps.goto(`${origin}/auth/apps`);
  await apps.click('.who button');
  await apps.waitForURL(`${origin}/auth/logout`);
  saw.refreshAfterSigningOut =
    await page.evaluate(() => window.client.refresh().then(() => 'done', () => 'refused'));
  await context.close();
  return saw;
}

/** In Spanish and without a mouse: a mother chooses her child. */
async function keyboard(browser) {
  const { context, page } = await person(browser, { locale: 'es-ES' });
  await start(page, SCOPES);
  await look(page, 'login-es');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await tabTo(page, `button[name=account][value="${lucia}"]`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('input[name=patient]');
  await look(page, 'pick-es');
  await tabTo(page, 'input[name=patient]');
  await page.keyboard.press('Space');
  await tabTo(page, 'main button[type=submit]:not(.text)');
  await page.keyboard.press('Enter');
  await page.waitForSelector('button[value=allow]');
  await look(page, 'consent-es');
  await tabTo(page, 'button[value=allow]');
  await page.keyboard.press('Enter');
  await connected(page);
  const saw = await page.evaluate(() => ({
    patient: window.client.patient.id,
    user: window.client.user.fhirUser.split('/').slice(-2).join('/'),
  }));
  const apps = await context.newPage();
  await apps.goto(`${origin}/auth/apps`);
  await look(apps, 'apps-es');
  await tabTo(apps, 'button.danger');
  await apps.keyboard.press('Enter');
  await apps.waitForSelector('[role=status]');
  await look(apps, 'apps-stopped-es');
  await apps.waitForTimeout(1000);
  saw.afterStop = await status(page, `Patient/${saw.patient}`);
  await page.goto(`${origin}/auth/consent?request=none`);
  await look(page, 'expired-es');
  await context.close();
  return saw;
}

await withBrowser(async (browser) => {
  const seen = {
    standalone: await standalone(browser),
    launched: await launched(browser),
    chosen: await chosen(browser),
    keyboard: await keyboard(browser),
  };
  report({ ...seen, inspected });
});
server.close();
