// A SCIM 2.0 server on scimmy, with users and groups in memory.
// Usage: PEER_TOKEN=… node scimmy.mjs [PORT] [--until-stdin-ends]
//
// Its quirks are why it is here: userName filters compare case although
// uniqueness does not, paging parameters are ignored over HTTP, "add" on a value
// path that matches nothing is noTarget, locations are relative.
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { listen, token } from "./listen.mjs";

function declare(resource, nameOf) {
  const rows = new Map();
  let last = 0;
  SCIMMY.Resources.declare(resource)
    .ingress((request, data) => {
      const id = request.id ?? String(++last);
      const name = nameOf(data)?.toLowerCase();
      const taken = [...rows.values()].some((row) => row.id !== id && nameOf(row)?.toLowerCase() === name);
      if (taken) throw new SCIMMY.Types.Error(409, "uniqueness", "the name is taken");
      const before = rows.get(id);
      if (request.id && !before) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
      const now = new Date().toISOString();
      const row = { ...JSON.parse(JSON.stringify(data)), id, meta: { created: before?.meta.created ?? now, lastModified: now } };
      rows.set(id, row);
      return row;
    })
    .egress((request) => {
      if (!request.id) {
        const all = [...rows.values()];
        return request.filter ? request.filter.match(all) : all;
      }
      const row = rows.get(request.id);
      if (!row) throw new SCIMMY.Types.Error(404, null, `Resource ${request.id} not found`);
      return row;
    })
    .degress((request) => {
      if (!rows.delete(request.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${request.id} not found`);
    });
}

declare(SCIMMY.Resources.User, (row) => row.userName);
declare(SCIMMY.Resources.Group, (row) => row.displayName);

listen(() => {
  const app = express();
  app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
      if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Authorization not accepted");
    },
  }));
  return app;
}, "/scim/v2");
