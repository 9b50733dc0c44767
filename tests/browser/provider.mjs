// A real OpenID provider (npm oidc-provider) for the tests: prints `ISSUER http://127.0.0.1:PORT`.
// Its settings are JSON in PROVIDER: the gateway as a client, and accounts with their claims. On
// standard input, `origin URL` says where the gateway is, and `rotate` gives it a new signing key.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomUUID } from 'node:crypto';

const tools = new URL('../../.tools/node_modules/', import.meta.url);
const { Provider } = await import(new URL('oidc-provider/lib/index.js', tools));
const { client, accounts } = JSON.parse(process.env.PROVIDER);

const newKey = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
};

let provider;
let key = newKey();
let origin = 'http://127.0.0.1:1';
const build = (issuer) => {
  provider = new Provider(issuer, {
    clients: [{
      ...client,
      redirect_uris: [`${origin}/auth/login/callback`],
      post_logout_redirect_uris: [`${origin}/auth/logout`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'RS256',
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    claims: { openid: ['sub'], profile: ['name', 'client_record'] },
    conformIdTokenClaims: process.env.CLAIMS_IN !== 'id_token',
    pkce: { required: () => true },
    cookies: { keys: [randomUUID()] },
    jwks: { keys: [key] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
  });
  provider.on('server_error', (_, error) => console.error(error));
};

// One form: who are you?
const ask = (uid) => `<!doctype html><html lang="en"><title>Provider</title><main><h1>Provider</h1>
<form method="post" action="/interaction/${uid}"><label>Account <input name="account"></label>
<button>Sign in</button></form></main></html>`;

const server = createServer(async (request, response) => {
  const interaction = /^\/interaction\/([\w-]+)$/.exec(request.url);
  if (!interaction) {
    provider.callback()(request, response);
  } else if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html').end(ask(interaction[1]));
  } else {
    let body = '';
    for await (const chunk of request) body += chunk;
    const accountId = new URLSearchParams(body).get('account');
    const result = accounts[accountId]
      ? { login: { accountId } }
      : { error: 'access_denied', error_description: 'nobody' };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
});

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  build(issuer);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [command, argument] = line.split(' ');
    if (command === 'rotate') key = newKey();
    if (command === 'origin') origin = argument;
    build(issuer);
    console.log(`DONE ${line}`);
  }).on('close', () => process.exit(0));
  console.log(`ISSUER ${issuer}`);
});
