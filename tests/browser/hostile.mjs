// A provider that answers wrongly: prints `ISSUER http://127.0.0.1:PORT`, and takes on standard
// input `case NAME`, which says what is wrong with the next ID tokens.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const tools = new URL('../../.tools/node_modules/', import.meta.url);
const { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } =
  await import(new URL('jose/dist/webapi/index.js', tools));

const { clientId, clientSecret, subject, more } = JSON.parse(process.env.PROVIDER);
const key = await generateKeyPair('RS256', { extractable: true });
const other = await generateKeyPair('RS256', { extractable: true });
const publicKey = { ...await exportJWK(key.publicKey), kid: 'one', alg: 'RS256', use: 'sig' };
let issuer;
let wrong = 'nothing';
let nonce;

const now = () => Math.floor(Date.now() / 1000);

/** An ID token with one thing wrong. */
async function idToken() {
  const claims = { ...more, iss: issuer, aud: clientId, sub: subject, nonce, iat: now(), exp: now() + 300 };
  const changes = {
    'another issuer': { iss: 'https://evil.example' },
    'another audience': { aud: 'somebody-else' },
    'another nonce': { nonce: 'another' },
    'no nonce': { nonce: undefined },
    expired: { iat: now() - 900, exp: now() - 600 },
    'from the future': { iat: now() + 3600, exp: now() + 7200 },
    'another at_hash': { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' },
    'an old sign-in': { auth_time: now() - 600 },
    'a new sign-in': { auth_time: now() },
  };
  const said = { ...claims, ...changes[wrong] };
  const header = { alg: 'RS256', kid: 'one' };
  switch (wrong) {
    case 'no token': return undefined;
    case 'no signature': return new UnsecuredJWT(said).encode();
    case 'the public key as a secret': {
      const secret = new TextEncoder().encode(JSON.stringify(publicKey));
      return new SignJWT(said).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
    }
    case "the gateway's secret": {
      const secret = new TextEncoder().encode(clientSecret);
      return new SignJWT(said).setProtectedHeader({ alg: 'HS256' }).sign(secret);
    }
    case 'another key': return new SignJWT(said).setProtectedHeader(header).sign(other.privateKey);
    case 'an unknown key': return new SignJWT(said).setProtectedHeader({ ...header, kid: 'two' }).sign(other.privateKey);
    case 'an unknown crit': return new SignJWT(said).setProtectedHeader({ ...header, crit: ['x'], x: 1 })
      .sign(key.privateKey, { crit: { x: true } });
    case 'a changed claim': {
      const parts = (await new SignJWT(said).setProtectedHeader(header).sign(key.privateKey)).split('.');
      parts[1] = Buffer.from(JSON.stringify({ ...said, sub: 'admin' })).toString('base64url');
      return parts.join('.');
    }
    default: return new SignJWT(said).setProtectedHeader(header).sign(key.privateKey);
  }
}

const discovery = () => ({
  issuer,
  authorization_endpoint: `${issuer}/auth`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
});

const server = createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  const json = (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  if (url.pathname === '/.well-known/openid-configuration') {
    json(discovery());
  } else if (url.pathname === '/jwks') {
    json({ keys: [publicKey] });
  } else if (url.pathname === '/auth') {
    nonce = url.searchParams.get('nonce');
    const back = new URL(url.searchParams.get('redirect_uri'));
    back.searchParams.set('code', 'code');
    back.searchParams.set('state', url.searchParams.get('state'));
    response.writeHead(303, { location: back.href }).end();
  } else if (url.pathname === '/token') {
    json({ access_token: 'access', token_type: 'Bearer', expires_in: 60, id_token: await idToken() });
  } else {
    response.writeHead(404).end();
  }
});

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line.startsWith('case ')) wrong = line.slice(5);
    console.log(`DONE ${line}`);
  }).on('close', () => process.exit(0));
  console.log(`ISSUER ${issuer}`);
});
