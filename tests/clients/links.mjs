// Opens SMART Health Links with the npm package kill-the-clipboard, which is nobody's of ours:
//   node links.mjs    with a JSON list of { link, recipient, passcode?, embeddedLengthMax? } on standard input
// Prints what it saw of each as one JSON line; what is refused is there by the name of its error.
import { readFileSync } from 'node:fs';

const home = new URL('../../.tools/node_modules/kill-the-clipboard/dist/index.esm.js', import.meta.url);
const { SHLViewer } = await import(home);

const seen = [];
for (const { link, ...asking } of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const viewer = new SHLViewer({ shlinkURI: link });
    const { manifest, fhirResources } = await viewer.resolveSHL(asking);
    const { label, flag, exp } = viewer.shl;
    seen.push({
      label, flag, exp,
      embedded: manifest?.files.filter((file) => file.embedded).length,
      located: manifest?.files.filter((file) => file.location).length,
      resources: fhirResources,
    });
  } catch (failure) {
    seen.push({ refused: failure.name, said: failure.message });
  }
}
console.log(JSON.stringify(seen));
