// An S3-compatible service on a free port of this machine, with one bucket; it says where it is.
import { createRequire } from "node:module";

const S3rver = createRequire(new URL("../../.tools/node_modules/", import.meta.url))("s3rver");
const service = new S3rver({
  address: "127.0.0.1",
  port: 0,
  silent: true,
  directory: process.argv[2],
  configureBuckets: [{ name: "files" }],
});
const { port } = await service.run();
console.log(`ENDPOINT http://127.0.0.1:${port}`);
