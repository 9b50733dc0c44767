// Opens the link that stands behind the # of this page's address. The key never leaves this page.
'use strict';

const byId = (id) => document.getElementById(id);
const words = new TextDecoder();

/** Shows one of the messages that the page holds; with a number where it has a place for one. */
function say(name, number) {
  for (const text of document.querySelectorAll('[data-say]')) {
    text.hidden = text.dataset.say !== name;
    text.dataset.text ??= text.textContent;
    if (!text.hidden) text.textContent = text.dataset.text.replace('{number}', number ?? '');
  }
  if (name) byId('said').focus();
}

function bytes(base64url) {
  const text = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** What a link says of itself, or nothing. */
function parse(hash) {
  const [, encoded] = /^#shlink:\/([\w-]+)$/.exec(hash) ?? [];
  try {
    const link = JSON.parse(words.decode(bytes(encoded)));
    const isWhole = typeof link.url === 'string' && bytes(link.key).length === 32;
    return isWhole ? link : undefined;
  } catch {
    return undefined;
  }
}

/** The text of an encrypted file (RFC 7516, compact form). */
async function decrypt(file, key) {
  const [head, none, nonce, text, tag] = file.trim().split('.');
  const header = JSON.parse(words.decode(bytes(head)));
  if (header.alg !== 'dir' || header.enc !== 'A256GCM' || none !== '') throw new Error('form');
  const [content, end] = [bytes(text), bytes(tag)];
  const sealed = new Uint8Array(content.length + end.length);
  sealed.set(content);
  sealed.set(end, content.length);
  const usable = await crypto.subtle.importKey('raw', bytes(key), 'AES-GCM', false, ['decrypt']);
  const additionalData = new TextEncoder().encode(head);
  const plain = await crypto.subtle.decrypt(
    { name: 'AES-GCM', iv: bytes(nonce), additionalData, tagLength: 128 }, usable, sealed,
  );
  if (header.zip !== 'DEF') return words.decode(plain);
  const inflated = new Blob([plain]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Response(inflated).text();
}

/** The encrypted files of a link. */
async function fetchFiles(link, recipient, passcode) {
  const options = { credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store' };
  if ((link.flag ?? '').includes('U')) {
    const url = new URL(link.url);
    url.searchParams.set('recipient', recipient);
    const answer = await fetch(url, options);
    if (!answer.ok) throw answer;
    return [await answer.text()];
  }
  const question = { recipient, embeddedLengthMax: 1048576 };
  if (passcode) question.passcode = passcode;
  const answer = await fetch(link.url, {
    ...options,
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(question),
  });
  if (!answer.ok) throw answer;
  const { files } = await answer.json();
  return Promise.all(files.map(async ({ embedded, location }) => {
    if (embedded) return embedded;
    const file = await fetch(location, options);
    if (!file.ok) throw file;
    return file.text();
  }));
}

/** Offers something to be saved. */
function offer(id, content, type, name) {
  const anchor = byId(id);
  anchor.href = URL.createObjectURL(new Blob([content], { type }));
  anchor.download = name;
  anchor.hidden = false;
}

/** Every resource of the files. */
function resources(texts) {
  return texts.map((text) => JSON.parse(text)).flatMap((resource) =>
    resource.resourceType === 'Bundle' && resource.type === 'collection'
      ? (resource.entry ?? []).map((entry) => entry.resource)
      : [resource]);
}

function show(texts) {
  const all = resources(texts);
  const attachments = all.filter((one) => one?.resourceType === 'DocumentReference')
    .flatMap((one) => one.content ?? []).map(({ attachment }) => attachment);
  const find = (type) => attachments.find((one) => one?.contentType === type && one.data);
  const page = find('text/html');
  const pdf = find('application/pdf');
  const data = texts.find((text) => JSON.parse(text).type === 'document') ?? texts[0];
  if (pdf) offer('pdf', bytes(pdf.data), 'application/pdf', 'record.pdf');
  if (page) {
    const text = words.decode(bytes(page.data));
    offer('page', text, 'text/html', 'record.html');
    byId('frame').srcdoc = text;
  }
  byId('frame').hidden = !page;
  offer('data', data, 'application/fhir+json', 'record.json');
  byId('open').hidden = true;
  byId('record').hidden = false;
}

async function refused(answer) {
  if (!(answer instanceof Response)) return say('failed');
  if (answer.status === 401) {
    const { remainingAttempts: left } = await answer.json();
    byId('passcode').value = '';
    return say(left > 0 ? 'wrong' : 'last', left);
  }
  if (answer.status === 404) byId('open').hidden = true;
  return say(answer.status === 404 ? 'gone' : 'failed');
}

function start() {
  byId('viewer').hidden = false;
  for (const other of document.querySelectorAll('a[hreflang]')) other.hash = location.hash;
  const link = parse(location.hash);
  if (!link) return say('damaged');
  if (new URL(link.url).origin !== location.origin) return say('elsewhere');
  if (link.exp && link.exp * 1000 < Date.now()) return say('gone');
  const isGuarded = (link.flag ?? '').includes('P');
  byId('label').textContent = link.label ?? '';
  byId('label').hidden = !link.label;
  byId('guarded').hidden = !isGuarded;
  byId('passcode').required = isGuarded;
  byId('open').hidden = false;
  byId('open').addEventListener('submit', async (event) => {
    event.preventDefault();
    say('busy');
    const button = byId('open').querySelector('button');
    button.disabled = true;
    try {
      const files = await fetchFiles(link, byId('recipient').value, byId('passcode').value);
      const texts = await Promise.all(files.map((file) => decrypt(file, link.key)));
      show(texts);
      say('opened');
    } catch (failure) {
      await refused(failure);
    } finally {
      button.disabled = false;
    }
  });
  return undefined;
}

start();
