// The protocol's messages: loading them, and conversions to and from what authors
// see. Authors change nothing here.
import {Metadata, status} from '@grpc/grpc-js';
import {fromJSON} from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import {Failure} from './sdk.mjs';
import connectorProto from './connector.proto';

// What the host's plugin library calls beside the connector's own service.
const libraryProto = `
syntax = "proto3";
package plugin;
message Empty {}
message StdioData { int32 channel = 1; bytes data = 2; }
service GRPCController { rpc Shutdown(Empty) returns (Empty); }
service GRPCStdio { rpc StreamStdio(Empty) returns (stream StdioData); }`;
const healthProto = `
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse { int32 status = 1; }
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }`;
const rpcProto = `
syntax = "proto3";
package google.rpc;
message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
message RetryInfo { google.protobuf.Duration retry_delay = 1; }`;

const root = new protobuf.Root();
for (const name of ['any', 'duration', 'struct']) root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`).nested);
for (const text of [connectorProto, libraryProto, healthProto, rpcProto]) protobuf.parse(text, root);
root.resolveAll();

const definitions = fromJSON(root.toJSON(), {longs: String, defaults: true, oneofs: true});

/** The gRPC services by their full name. */
export const services = {
  connector: definitions['anteroom.connector.v1.Connector'],
  health: definitions['grpc.health.v1.Health'],
  controller: definitions['plugin.GRPCController'],
  stdio: definitions['plugin.GRPCStdio'],
};

// ---- failures ------------------------------------------------------------

const codes = {
  transient: status.UNAVAILABLE, rate_limited: status.RESOURCE_EXHAUSTED, unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED, invalid: status.INVALID_ARGUMENT, conflict: status.ALREADY_EXISTS,
  ambiguous: status.FAILED_PRECONDITION, not_found: status.NOT_FOUND, quota: status.FAILED_PRECONDITION,
  unsupported: status.UNIMPLEMENTED, outcome_unknown: status.UNKNOWN, internal: status.INTERNAL,
};

const domain = 'anteroom.connector.v1';
const maxMessage = 4000; // characters

/** NotConfigured says that this process does not have the instance in this generation. */
export class NotConfigured extends Failure {
  constructor() { super('transient', 'the connector process does not have this configuration', {effect: 'none'}); }
}

/**
 * toFailure makes a Failure of whatever a verb threw, and says of the effect what
 * was left open: a write may have had one, a read has none. late tells that the
 * call had ended for the host when the error came.
 */
export function toFailure(error, {write, late}) {
  let {kind, effect, message, field, retryAfter} = error;
  if (!(error instanceof Failure)) {
    [kind, effect, message] = late ? ['outcome_unknown', 'unknown', 'the target did not answer in time'] : ['internal', '', 'the connector failed'];
  }
  if (!write) {
    effect = 'none';
    if (kind === 'outcome_unknown') kind = 'transient';
  }
  return Object.assign(error instanceof NotConfigured ? new NotConfigured() : new Failure(kind, message), {
    effect: effect || 'unknown', field: field ?? '', retryAfter: retryAfter ?? 0,
  });
}

const pack = (type, value) => {
  const t = root.lookupType(type);
  return {type_url: `type.googleapis.com/${type}`, value: t.encode(t.fromObject(value)).finish()};
};

/** toStatus makes the gRPC status of a failure, with its details. */
export function toStatus(failure) {
  const message = failure.message.slice(0, maxMessage);
  const missing = failure instanceof NotConfigured;
  const code = missing ? status.FAILED_PRECONDITION : codes[failure.kind];
  const details = [
    pack('google.rpc.ErrorInfo', {domain, reason: missing ? 'INSTANCE_NOT_CONFIGURED' : failure.kind.toUpperCase()}),
    pack('anteroom.connector.v1.Failure', {kind: failure.kind, effect: failure.effect, field: failure.field, message}),
  ];
  if (failure.retryAfter > 0) {
    const seconds = Math.floor(failure.retryAfter);
    details.push(pack('google.rpc.RetryInfo', {retryDelay: {seconds, nanos: Math.round((failure.retryAfter - seconds) * 1e9)}}));
  }
  const st = root.lookupType('google.rpc.Status');
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(st.encode(st.fromObject({code, message, details})).finish()));
  return {code, details: message, metadata};
}

// ---- values --------------------------------------------------------------

const maxDepth = 32;

function toValue(v, name, depth = 0) {
  const cannot = (why) => { throw new Failure('internal', `the connector returned an attribute "${name}" that cannot be sent: ${why}`); };
  if (depth > maxDepth) cannot(`nested deeper than ${maxDepth}`);
  if (v === null || v === undefined) return {nullValue: 0};
  switch (typeof v) {
    case 'string': return {stringValue: v};
    case 'number': return {numberValue: v};
    case 'boolean': return {boolValue: v};
    case 'object': break;
    default: cannot(`a ${typeof v} has no JSON form`);
  }
  if (Array.isArray(v)) return {listValue: {values: v.map((e) => toValue(e, name, depth + 1))}};
  if (Object.getPrototypeOf(v) !== Object.prototype) cannot(`a ${v.constructor?.name ?? 'foreign object'} has no JSON form`);
  return {structValue: {fields: mapValues(v, (e) => toValue(e, name, depth + 1))}};
}

const mapValues = (object, f) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, f(v, k)]));

function fromValue(v) {
  switch (v.kind) {
    case 'structValue': return fromStruct(v.structValue);
    case 'listValue': return v.listValue.values.map(fromValue);
    case 'nullValue': return null;
    default: return v[v.kind];
  }
}

/** fromStruct makes a plain object of a google.protobuf.Struct. */
export const fromStruct = (s) => mapValues(s?.fields ?? {}, fromValue);

/** toAccount makes the message of an account; one without an id is no account. */
export function toAccount(a) {
  if (typeof a?.id !== 'string' || a.id === '') throw new Failure('internal', 'the connector returned an account without an id');
  return {
    id: a.id, version: a.version ?? '', ...(typeof a.active === 'boolean' && {active: a.active}),
    attributes: a.attributes && {fields: mapValues(a.attributes, toValue)},
  };
}

/** fromConfig reads a configuration: values as JSON, secrets by name. */
export function fromConfig(c) {
  let values = {};
  if (c?.json?.length) {
    try {
      values = JSON.parse(c.json.toString());
    } catch {
      values = undefined;
    }
  }
  return {values: values ?? null, secrets: mapValues(c?.secrets ?? {}, (b) => b.toString())};
}
