// Gets a token as a backend service does (SMART App Launch 2.2) with jose, and reads with it:
//   node backend.mjs BASE CLIENT ALG     with the private key (PKCS #8, PEM) on standard input
// Prints what it saw as one JSON line; any failure is a non-zero exit.
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';

// Installed beside the project, not above this file, so it is found by its path.
const home = new URL('../../.tools/node_modules/jose/', import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL('package.json', home), 'utf8'));
const { SignJWT, importPKCS8 } = await import(new URL(exports['.'].default ?? exports['.'].import, home));

const [base, client, alg] = process.argv.slice(2);
const key = await importPKCS8(readFileSync(0, 'utf8'), alg);
const configuration = await (await fetch(`${base}/.well-known/smart-configuration`)).json();

async function token(scope, jti = randomUUID()) {
  const assertion = await new SignJWT({ jti })
    .setProtectedHeader({ alg, kid: 'k', typ: 'JWT' })
    .setIssuer(client).setSubject(client).setAudience(configuration.token_endpoint)
    .setIssuedAt().setExpirationTime('4m')
    .sign(key);
  return fetch(configuration.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
}

const answer = await token('system/Patient.rs');
const granted = await answer.json();
const read = (path) =>
  fetch(`${base}/${path}`, { headers: { authorization: `Bearer ${granted.access_token}` } });
const replayed = randomUUID();
await token('system/Patient.rs', replayed);
console.log(JSON.stringify({
  status: answer.status,
  scope: granted.scope,
  type: granted.token_type,
  patients: (await (await read('Patient')).json()).total,
  goals: (await read('Goal')).status,
  again: (await token('system/Patient.rs', replayed)).status,
}));
