// The connector for Acme: edit what is marked 1 to 3, and the configuration and
// attributes above them. Everything below 3 is optional: each method makes the
// connector offer one more verb, so delete what your system cannot do.
import {define, fetchJSON} from './anteroom/sdk.mjs';

// An attribute's name is that of the system. owner marks the one that holds
// Anteroom's id of the user; correlate orders the keys that lookup is asked by;
// source is where a value comes from unless an admin maps it otherwise.
const attributes = {
  external_id: {owner: true, correlate: 1, createOnly: true, caseExact: true, help: "Anteroom's id of the user."},
  login: {required: true, correlate: 2, source: 'user.login', help: 'The name people sign in with.'},
  email: {source: 'user.email'},
  name: {source: 'user.name', help: 'The name that others see.'},
};

// What an admin fills in. A secret reaches you as an object; see #call.
const config = {
  base_url: {required: true, help: 'Root of the API, such as https://acme.example/api.'},
  token: {secret: true, required: true, help: 'An API token that may write users.'},
};

function validate({base_url}) {
  const ok = URL.canParse(base_url) && ['http:', 'https:'].includes(new URL(base_url).protocol);
  return ok ? [] : [{field: 'base_url', message: 'must be an http or https address'}];
}

class Target {
  #config;
  constructor(config) { this.#config = config; }

  // 1. Find the accounts whose attribute `key` has the value. None is an empty
  // list, not an error. More than asked for does no harm, an omission does.
  async lookup({key, value, signal}) {
    const {users} = await this.#call('GET', `/users?${new URLSearchParams({[key]: value})}`, {signal});
    return users.map(toAccount);
  }

  // 2. Make an account, with the id the system gives it. A name that is taken is
  // a Failure of kind 'conflict', which the status 409 stands for already.
  async create({attributes, active, operation, signal}) {
    const headers = {'idempotency-key': operation.id}; // the same on every retry of the same intent
    return toAccount(await this.#call('POST', '/users', {body: {...attributes, active}, headers, signal}));
  }

  // 3. Change exactly these attributes and leave the others alone. An account
  // that is gone is 'not_found', which the status 404 stands for already.
  async update({id, set, clear, signal}) {
    const body = {...set, ...Object.fromEntries(clear.map((name) => [name, null]))};
    return toAccount(await this.#call('PATCH', `/users/${encodeURIComponent(id)}`, {body, signal}));
  }

  async get({id, signal}) {
    return toAccount(await this.#call('GET', `/users/${encodeURIComponent(id)}`, {signal}));
  }

  async setActive({id, active, signal}) {
    return toAccount(await this.#call('PATCH', `/users/${encodeURIComponent(id)}`, {body: {active}, signal}));
  }

  async delete({id, signal}) {
    try {
      await this.#call('DELETE', `/users/${encodeURIComponent(id)}`, {signal});
    } catch (error) {
      if (error.kind !== 'not_found') throw error; // gone already is what was asked for
    }
  }

  async check({signal}) {
    try {
      await this.#call('GET', '/users?login=anteroom-check', {signal});
      return [{name: 'credentials', status: 'passed'}];
    } catch (error) {
      return [{name: 'credentials', status: 'failed', detail: error.message, fix: 'Check base_url and token.'}];
    }
  }

  #call(method, path, {body, headers, signal}) {
    const {base_url, token} = this.#config;
    return fetchJSON(base_url.replace(/\/$/, '') + path, {
      method, body, signal, headers: {authorization: `Bearer ${token.reveal()}`, ...headers},
    });
  }
}

function toAccount({id, active, ...user}) {
  return {id, active, attributes: Object.fromEntries(Object.keys(attributes).map((name) => [name, user[name] ?? null]))};
}

export default define({name: 'acme', version: '0.1.0', displayName: 'Acme', config, attributes, validate, Target});
