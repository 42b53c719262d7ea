// What a connector is: a description, a configuration, and a class whose methods
// are the verbs. This file needs no package and knows no transport; serve.mjs
// does that part. Authors import from here and change nothing.
import {inspect} from 'node:util';

/** The kinds of failure. A kind decides what the host does next, so it matters more than the message. */
export const kinds = [
  'transient', 'rate_limited', 'unauthorized', 'forbidden', 'invalid', 'conflict',
  'ambiguous', 'not_found', 'quota', 'unsupported', 'outcome_unknown', 'internal',
];

// Kinds that do not say by themselves whether the target was changed.
const openEffect = new Set(['transient', 'outcome_unknown', 'internal']);

const maxRetryAfter = 3600; // seconds: a wrong header must not park people for days

/**
 * Failure is how a verb fails. Any other error counts as a defect of the
 * connector with an unknown effect.
 *
 * The message is for an admin: no secrets, no user's values. effect is 'none',
 * 'applied' or 'unknown'; left out, it is 'none' where the kind means that the
 * target refused. field is the attribute or configuration field at fault.
 * retryAfter is in seconds.
 */
export class Failure extends Error {
  constructor(kind, message, {effect = openEffect.has(kind) ? '' : 'none', field = '', retryAfter = 0, cause} = {}) {
    super(message, {cause});
    if (!kinds.includes(kind)) throw new TypeError(`there is no failure of kind ${inspect(kind)}`);
    Object.assign(this, {kind, effect, field, retryAfter: Math.min(Math.max(0, retryAfter), maxRetryAfter)});
  }
}

/**
 * Pending is thrown by a write that the target has accepted and not done yet,
 * because a job must run or somebody must approve. The host looks again after
 * that many seconds, at most an hour; a create it does not repeat. The text is for
 * the person who waits: one plain sentence.
 */
export class Pending extends Error {
  constructor(pollAfter, text) {
    super(text);
    this.pollAfter = Math.min(Math.max(1, pollAfter), 3600);
  }
}

/** Secret is a string that does not show itself. Call reveal() at the one place that sends it. */
export class Secret {
  #value;
  constructor(value) { this.#value = value; }
  reveal() { return this.#value; }
  toString() { return '***'; }
  toJSON() { return '***'; }
  [inspect.custom]() { return '***'; }
}

const statusKinds = {
  401: 'unauthorized', 402: 'quota', 403: 'forbidden', 404: 'not_found', 405: 'unsupported', 408: 'transient',
  409: 'conflict', 410: 'not_found', 412: 'transient', 423: 'transient', 425: 'transient', 429: 'rate_limited',
  501: 'unsupported', 503: 'transient',
};

// Statuses of 408 and of 5xx other than these leave open whether anything was done.
const refusals = new Set([501, 503]);

/**
 * fromHTTP returns the failure an HTTP status other than success stands for (RFC
 * 9110 section 15, RFC 6585). Where an API gives a status another meaning, throw
 * your own Failure instead.
 */
export function fromHTTP(status, headers = new Headers()) {
  const message = `the target answered ${status}`;
  const refused = refusals.has(status) || (status >= 400 && status < 500 && status !== 408);
  const kind = statusKinds[status] ?? (status >= 500 ? 'transient' : status >= 400 ? 'invalid' : 'internal');
  return new Failure(kind, message, {effect: refused ? 'none' : '', retryAfter: retryAfter(headers)});
}

// retryAfter reads the header, in seconds or as a date relative to the answer's own.
function retryAfter(headers) {
  const value = headers.get('retry-after') ?? '';
  if (/^\d+$/.test(value)) return Number(value);
  const now = Date.parse(headers.get('date') ?? '') || Date.now();
  return (Date.parse(value) - now) / 1000 || 0;
}

// The connection was never made, so the request never left.
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * fetchJSON makes one HTTP call and returns the JSON of its answer, undefined if
 * it is empty. Whatever goes wrong is a Failure that says whether the target may
 * have been changed. Pass the signal of the call: it ends with the deadline.
 */
export async function fetchJSON(url, {method = 'GET', headers = {}, body, signal}) {
  const write = method !== 'GET' && method !== 'HEAD';
  const lost = (cause) => (write
    ? new Failure('outcome_unknown', 'the request was sent and no answer came', {cause})
    : new Failure('transient', 'the target did not answer', {cause}));
  let response, text;
  try {
    response = await fetch(url, {
      method, signal, redirect: 'manual',
      headers: {accept: 'application/json', ...(body && {'content-type': 'application/json'}), ...headers},
      body: body && JSON.stringify(body),
    });
    text = await bounded(response);
  } catch (cause) {
    if (neverSent.has(cause?.cause?.code)) throw new Failure('transient', 'the target is not reachable', {effect: 'none', cause});
    throw lost(cause);
  }
  if (response.status >= 300 && response.status < 400) {
    throw new Failure('invalid', 'the server redirects to another address: use the final one');
  }
  if (!response.ok) throw fromHTTP(response.status, response.headers);
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw Object.assign(lost(cause), {message: "the target's answer is not the JSON that was expected"});
  }
}

// The longest answer that is read: a target must not fill the process.
const maxAnswer = 1 << 20;

async function bounded(response) {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxAnswer) throw new Error(`the answer is longer than ${maxAnswer} bytes`);
    text += decoder.decode(chunk, {stream: true});
  }
  return text + decoder.decode();
}

/** The optional verbs, by the method that makes a connector offer them. */
const optionalVerbs = {
  get: 'get', setActive: 'set_active', delete: 'delete', list: 'list', setGroups: 'set_groups', check: 'check',
};

/** log writes a record to the host's log. Log no user's values. */
export function log(level, msg, fields = {}) {
  process.stderr.write(`${JSON.stringify({level, msg, ...fields})}\n`);
}

/**
 * define makes a connector. config and attributes are objects by name; Target is
 * a class, constructed with the decoded configuration, whose methods are the
 * verbs: lookup, create and update, and those of get, setActive, delete, list,
 * setGroups and check that the system can do. validate, if given, is asked for
 * [{field, message}] once every field by itself is right. A definition that is
 * itself wrong throws: the first start shows it.
 */
export function define({name, version, displayName = name, config = {}, attributes = {}, validate, Target}) {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name)) throw new TypeError(`name ${inspect(name)}: use lower-case letters, digits, - and _`);
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.test(version)) throw new TypeError(`version ${inspect(version)} is no semantic version`);
  for (const verb of ['lookup', 'create', 'update']) {
    if (typeof Target.prototype[verb] !== 'function') throw new TypeError(`the target has no method ${verb}`);
  }
  const fields = Object.entries(config).map(([field, f]) => ({type: 'string', ...f, name: field}));
  fields.forEach((f, i) => checkField(f, fields.slice(0, i)));
  const description = {
    name, version, displayName,
    capabilities: Object.keys(optionalVerbs).filter((m) => typeof Target.prototype[m] === 'function').map((m) => optionalVerbs[m]),
    config: fields.map((f) => ({...f, default: f.default === undefined ? '' : String(f.default)})),
    attributes: Object.entries(attributes).map(([attribute, a]) => ({type: 'string', ...a, name: attribute})),
  };
  const decodeAll = (values, secrets) => {
    const {decoded, problems} = decode(fields, values, secrets);
    return {decoded, problems: problems.length || !validate ? problems : validate(decoded)};
  };
  return {
    description,
    validate: (values, secrets) => decodeAll(values, secrets).problems,
    open(values, secrets) {
      const {decoded, problems} = decodeAll(values, secrets);
      if (problems.length === 1) throw new Failure('invalid', problems[0].message, {field: problems[0].field});
      if (problems.length) throw new Failure('invalid', problems.map((p) => `${p.field}: ${p.message}`).join('; '));
      return new Target(decoded);
    },
  };
}

// ---- configuration -------------------------------------------------------

const types = {
  string: {want: 'must be a string', read: (v) => (typeof v === 'string' ? v : undefined)},
  bool: {want: 'must be true or false', read: (v) => (typeof v === 'boolean' ? v : undefined)},
  int: {want: 'must be a whole number', read: (v) => (Number.isSafeInteger(v) ? v : undefined)},
  duration: {want: 'must be a duration such as "5s" or "1m30s"', read: milliseconds},
  strings: {want: 'must be a list of strings', read: (v) => (Array.isArray(v) && v.every((s) => typeof s === 'string') ? v : undefined)},
};

const units = {ns: 1e-6, us: 1e-3, 'µs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000};

/** milliseconds reads a duration as Go writes it: "1m30s". */
export function milliseconds(text) {
  if (text === '0') return 0;
  if (typeof text !== 'string' || !/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) sum += Number(n) * units[unit];
  return text.startsWith('-') ? -sum : sum;
}

function checkField(f, earlier) {
  const wrong = (why) => { throw new TypeError(`configuration field ${f.name}: ${why}`); };
  if (!types[f.type]) wrong(`there is no type ${inspect(f.type)}`);
  if (f.secret && (f.type !== 'string' || f.default !== undefined || f.enum)) wrong('a secret is a string without default or enum');
  if (f.required && f.default !== undefined) wrong('a required field has no default');
  if (f.default !== undefined && types[f.type].read(f.default) === undefined) wrong(`its default ${types[f.type].want}`);
  if (f.when && !earlier.some((e) => e.name === f.when.field && !e.secret && ['string', 'bool'].includes(e.type))) {
    wrong(`its condition is not about a plain string or bool that comes before`);
  }
}

// decode reports everything that is wrong, and repeats no value: a secret may
// have been put in the wrong place. A field whose condition ({field, values})
// does not hold is left out; what was given for it must still be of its type.
function decode(fields, values, secrets) {
  const decoded = {}, problems = [];
  if (values === null || typeof values !== 'object' || Array.isArray(values)) {
    return {decoded, problems: [{field: '', message: 'the configuration must be a JSON object'}]};
  }
  for (const declared of fields) {
    const applies = !declared.when || declared.when.values.includes(String(decoded[declared.when.field]));
    const f = applies ? declared : {...declared, required: false, default: undefined};
    const {value, problem} = f.secret ? decodeSecret(f, values, secrets) : decodeValue(f, values, secrets);
    if (problem) problems.push({field: f.name, message: problem});
    else if (applies) decoded[f.name] = value;
  }
  const known = new Set(fields.map((f) => f.name));
  const given = Object.keys(values).filter((name) => values[name] !== null);
  for (const name of [...new Set([...given, ...Object.keys(secrets)])].sort()) {
    if (!known.has(name)) problems.push({field: name, message: 'is not a field of this connector'});
  }
  return {decoded, problems};
}

function decodeSecret(f, values, secrets) {
  if (values[f.name] !== undefined && values[f.name] !== null) return {problem: 'is a secret and must be given as one, not among the values'};
  const value = Object.hasOwn(secrets, f.name) ? secrets[f.name] : '';
  if (f.required && value === '') return {problem: 'is required'};
  return {value: new Secret(value)};
}

function decodeValue(f, values, secrets) {
  if (Object.hasOwn(secrets, f.name)) return {problem: 'is not a secret and must be given among the values'};
  const given = Object.hasOwn(values, f.name) ? values[f.name] ?? f.default : f.default;
  if (given === undefined) return f.required ? {problem: 'is required'} : {};
  const value = types[f.type].read(given);
  if (value === undefined) return {problem: types[f.type].want};
  const empty = typeof value === 'string' ? value.trim() === '' : Array.isArray(value) && value.length === 0;
  if (f.required && empty) return {problem: 'is required'};
  if (f.enum && ![].concat(value).every((v) => f.enum.includes(v))) return {problem: `must be one of ${f.enum.join(', ')}`};
  return {value};
}
