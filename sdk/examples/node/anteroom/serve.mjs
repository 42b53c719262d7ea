// Makes a process a connector: handshake, TLS, streams, signals, its end.
// Authors change nothing here.
import {randomBytes, webcrypto} from 'node:crypto';
import {once} from 'node:events';
import {rmSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import 'reflect-metadata'; // must come before x509
import * as x509 from '@peculiar/x509';
import {Server, ServerCredentials} from '@grpc/grpc-js';
import {Instances} from './instances.mjs';
import {Failure, log, Pending} from './sdk.mjs';
import {fromConfig, fromStruct, services, toAccount, toFailure, toStatus} from './wire.mjs';

const cookie = ['ANTEROOM_CONNECTOR', 'd0f5b6f1-anteroom-connector'];
const protocolVersion = 1;
const drainTime = 5000; // milliseconds for running calls after the process was asked to stop
const cancelTime = 1000; // once they are cancelled
const flushTime = 200; // for the last answers to leave

/**
 * serve is all that a connector's main file calls. Started by hand, it explains
 * the connector instead; with the argument "describe" it prints the description
 * as JSON. From here on, whatever is printed goes to standard error, because the
 * host reads the handshake from standard output.
 */
export function serve(connector) {
  if (process.argv[2] === 'describe') {
    process.stdout.write(`${JSON.stringify(described(connector.description), null, 2)}\n`);
  } else if (process.env[cookie[0]] !== cookie[1]) {
    usage(connector.description);
    process.exitCode = 1;
  } else {
    process.stdout.write = process.stderr.write.bind(process.stderr);
    new Process(connector).start().catch((error) => {
      log('error', 'cannot start', {error: error.stack});
      process.exit(1);
    });
  }
}

// described has the names that every connector's "describe" prints.
function described({displayName, attributes, ...rest}) {
  return {...rest, display_name: displayName, attributes: attributes.map(({multiValued, createOnly, caseExact, ...a}) => (
    {...a, multi_valued: multiValued, create_only: createOnly, case_exact: caseExact}))};
}

function usage({displayName, version, config, attributes}) {
  const rows = (title, list, traits) => `\n${title}:\n${list.map((e) => `  ${e.name}  ${traits(e).filter(Boolean).join(', ')}  ${e.help ?? ''}\n`).join('')}`;
  process.stderr.write(`${displayName} ${version} is a connector: Anteroom starts it and talks to it.\n`
    + rows('Configuration', config, (f) => [f.type, f.required && 'required', f.secret && 'secret', f.enum && `one of ${f.enum.join('|')}`, f.default && `default ${f.default}`, f.when && `when ${f.when.field}=${f.when.values}`])
    + rows('Attributes', attributes, (a) => [a.type, a.required && 'required', a.correlate && 'correlates', a.owner && 'owner'])
    + `\nTo see the same as JSON:  ${process.argv[1]} describe\nTo try it out:            anteroom connector test ${process.argv[1]}\n`);
}

class Process {
  #connector;
  #instances = new Instances();
  #server = new Server({'grpc.max_receive_message_length': 4 << 20});
  #socket = join(process.env.PLUGIN_UNIX_SOCKET_DIR || tmpdir(), `connector-${randomBytes(6).toString('hex')}`);
  #calls = new Set(); // what aborts each running call
  #idle = () => {};
  #streams = new Set(); // of the host's library, open to the end
  #ending;

  constructor(connector) { this.#connector = connector; }

  async start() {
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => this.#end(drainTime));
    process.on('SIGINT', () => {}); // a terminal sends it to the host too, and the host decides
    if (process.env.ANTEROOM_LIFELINE === '1') {
      process.stdin.resume().on('end', () => this.#end(drainTime)).on('error', () => this.#end(drainTime));
    }
    this.#server.addService(services.connector, this.#verbs());
    this.#addLibraryServices();
    const {credentials, certificate} = await secure(process.env.PLUGIN_CLIENT_CERT);
    await new Promise((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.#socket}`, credentials, (error) => (error ? reject(error) : resolve()));
    });
    writeSync(1, `1|${protocolVersion}|unix|${this.#socket}|grpc|${certificate}\n`);
  }

  // #addLibraryServices answers what the host's plugin library calls by itself.
  #addLibraryServices() {
    const serving = 1;
    this.#server.addService(services.health, {Check: (call, done) => done(null, {status: serving})});
    this.#server.addService(services.controller, {
      Shutdown: (call, done) => {
        done(null, {});
        for (const abort of this.#calls) abort();
        this.#end(cancelTime);
      },
    });
    this.#server.addService(services.stdio, {
      StreamStdio: (call) => {
        this.#streams.add(call);
        call.on('cancelled', () => this.#streams.delete(call));
      },
    });
  }

  // #end lets running calls finish, closes the targets and ends the process.
  #end(limit) {
    this.#ending ??= (async () => {
      const drained = new Promise((resolve) => { this.#idle = resolve; });
      if (this.#calls.size === 0) this.#idle();
      await atMost(limit, drained.then(() => this.#instances.closeAll()));
      for (const stream of this.#streams) stream.end();
      await atMost(flushTime, new Promise((resolve) => { this.#server.tryShutdown(resolve); }));
      rmSync(this.#socket, {force: true});
      process.exit(0);
    })();
  }

  // #guard runs one call of the author's code. It is the only place that lets
  // anything out of this process.
  async #guard(call, write, run) {
    const deadline = call.getDeadline();
    if (deadline === Infinity) throw toFailure(new Failure('invalid', 'a call needs a deadline'), {write});
    if (this.#ending) throw toFailure(new Failure('transient', 'the connector process is stopping', {effect: 'none'}), {write});
    const controller = new AbortController();
    const abort = () => controller.abort();
    call.on('cancelled', abort);
    this.#calls.add(abort);
    try {
      return await run(controller.signal);
    } catch (error) {
      if (write && error instanceof Pending) {
        return {pending: {pollAfterMs: Math.round(error.pollAfter * 1000), text: error.message}};
      }
      const late = controller.signal.aborted;
      if (!(error instanceof Failure) && !late) log('error', 'connector threw an error without a kind', {error: error?.stack ?? String(error)});
      throw toFailure(error, {write, late});
    } finally {
      this.#calls.delete(abort);
      if (this.#calls.size === 0) this.#idle();
    }
  }

  // #unary makes a handler of a call with one answer.
  #unary(write, run) {
    return (call, done) => {
      this.#guard(call, write, (signal) => run(call.request, signal))
        .then((answer) => done(null, answer), (failure) => done(toStatus(failure)));
    };
  }

  // #on makes a handler of a verb of a target.
  #on(method, write, verb) {
    return this.#unary(write, (req, signal) => this.#instances.use(req.instance ?? undefined, async (target) => {
      if (typeof target[method] !== 'function') throw new Failure('unsupported', `the connector has no ${method}`);
      return verb(target, req, signal);
    }));
  }

  #verbs() {
    const {description, validate, open} = this.#connector;
    const account = async (answer) => ({account: toAccount(await answer)});
    return {
      Describe: this.#unary(false, () => description),
      ValidateConfig: this.#unary(false, ({config}) => {
        const {values, secrets} = fromConfig(config);
        return {problems: validate(values, secrets)};
      }),
      Configure: this.#unary(false, async ({instance, config}) => {
        const {values, secrets} = fromConfig(config);
        await this.#instances.configure(instance ?? undefined, () => open(values, secrets));
        return {};
      }),
      Release: this.#unary(false, ({instance}) => {
        this.#instances.release(instance ?? undefined);
        return {};
      }),
      Check: this.#on('check', false, async (t, req, signal) => ({steps: await t.check({signal})})),
      Get: this.#on('get', false, (t, {id}, signal) => account(t.get({id, signal}))),
      Lookup: this.#on('lookup', false, async (t, {key, value}, signal) => ({accounts: (await t.lookup({key, value, signal})).map(toAccount)})),
      Create: this.#on('create', true, (t, {operation, attributes, active}, signal) => (
        account(t.create({operation, attributes: fromStruct(attributes), active, signal})))),
      Update: this.#on('update', true, (t, {operation, id, version, set, clear}, signal) => (
        account(t.update({operation, id, version, set: fromStruct(set), clear, signal})))),
      SetActive: this.#on('setActive', true, (t, {operation, id, active}, signal) => account(t.setActive({operation, id, active, signal}))),
      Delete: this.#on('delete', true, async (t, {operation, id}, signal) => {
        await t.delete({operation, id, signal});
        return {done: true};
      }),
      SetGroups: this.#on('setGroups', true, async (t, {operation, id, groups}, signal) => {
        await t.setGroups({operation, id, groups, signal});
        return {done: true};
      }),
      List: (call) => this.#list(call),
    };
  }

  // #list streams accounts, one a message, no faster than the host takes them.
  #list(call) {
    const {instance, pageSize} = call.request;
    this.#guard(call, false, (signal) => this.#instances.use(instance ?? undefined, async (target) => {
      if (typeof target.list !== 'function') throw new Failure('unsupported', 'the connector has no list');
      for await (const account of target.list({pageSize, signal})) {
        if (!call.write({accounts: [toAccount(account)]})) await once(call, 'drain', {signal});
      }
    })).then(() => call.end(), (failure) => call.emit('error', toStatus(failure)));
  }
}

async function atMost(limit, promise) {
  let timer;
  await Promise.race([promise, new Promise((resolve) => { timer = setTimeout(resolve, limit); })]);
  clearTimeout(timer);
}

// secure makes a certificate for this process alone, and lets in nobody but the
// host with the certificate given. Without one there is no TLS: the host decides.
async function secure(hostCertificate) {
  if (!hostCertificate) return {credentials: ServerCredentials.createInsecure(), certificate: ''};
  x509.cryptoProvider.set(webcrypto);
  const algorithm = {name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256'};
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(15).toString('hex').replace(/^./, '1'), name: 'CN=localhost', keys, signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 30_000), notAfter: new Date(Date.now() + 10 * 365 * 86_400_000),
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{type: 'dns', value: 'localhost'}]),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return {
    credentials: ServerCredentials.createSsl(
      Buffer.from(hostCertificate), [{private_key: Buffer.from(key), cert_chain: Buffer.from(certificate.toString('pem'))}], true),
    certificate: Buffer.from(certificate.rawData).toString('base64').replaceAll('=', ''),
  };
}
