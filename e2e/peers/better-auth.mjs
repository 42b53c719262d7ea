// A SCIM 2.0 server on @better-auth/scim, with its own memory storage.
// Usage: PEER_TOKEN=… node better-auth.mjs [PORT] [--until-stdin-ends]
//
// It is the strict one: filters know eq only, resources are validated, names are
// unique without regard to case.
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";
import { listen, token } from "./listen.mjs";

listen((origin) => {
  const tables = {};
  const options = {
    baseURL: origin,
    secret: "only-for-tests-only-for-tests-only-for-tests",
    database: memoryAdapter(tables),
    plugins: [scim({ connections: [{ id: "anteroom", credentials: [{ type: "bearer", id: "key", token }] }] })],
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { level: "error" },
  };
  // The memory adapter expects every table to be there.
  for (const [key, table] of Object.entries(getAuthTables(options))) {
    tables[table.modelName ?? key] = [];
  }
  return toNodeHandler(betterAuth(options));
}, "/api/auth/scim/v2");
