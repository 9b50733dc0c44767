// Drives the FHIR API with fhir-kit-client, as an integrator would:
//   node fhir-kit.mjs BASE TOKEN
// Prints what it saw as one JSON line; any failure is a non-zero exit.
import { readFile } from 'node:fs/promises';

// Installed beside the project, not above this file, so it is found by its path.
const home = new URL('../../.tools/node_modules/fhir-kit-client/', import.meta.url);
const { exports } = JSON.parse(await readFile(new URL('package.json', home), 'utf8'));
const { Client } = await import(new URL(exports['.'].import, home));

const [baseUrl, token] = process.argv.slice(2);
const client = new Client({ baseUrl });
client.bearerToken = token;

const statement = await client.capabilityStatement();
const page = await client.search({ resourceType: 'Encounter', searchParams: { status: 'finished', _count: 2 } });
const encounter = page.entry[0].resource;
const patient = await client.resolve({ reference: encounter.subject.reference });
const again = await client.read({ resourceType: 'Encounter', id: encounter.id });
const version = await client.vread({ resourceType: 'Encounter', id: encounter.id, version: again.meta.versionId });
const history = await client.history({ resourceType: 'Encounter', id: encounter.id });
let pages = 1;
let seen = page.entry.length;
for (let next = await client.nextPage({ bundle: page }); next; next = await client.nextPage({ bundle: next })) {
  pages += 1;
  seen += next.entry.length;
}
let refusal;
try {
  await client.search({ resourceType: 'Encounter', searchParams: { nonsense: 1 } });
} catch (error) {
  refusal = error.response.data.resourceType;
}
console.log(JSON.stringify({
  fhirVersion: statement.fhirVersion,
  patient: patient.resourceType,
  same: JSON.stringify(again) === JSON.stringify(version),
  history: history.total ?? history.entry.length,
  total: page.total,
  pages,
  seen,
  refusal,
}));
