// The configured targets of this process. Authors change nothing here.
import {Failure, log} from './sdk.mjs';
import {NotConfigured} from './wire.mjs';

/**
 * Instances keeps at most one current generation of each instance, and lets older
 * ones finish their calls before it closes them.
 */
export class Instances {
  #current = new Map(); // by instance id: {generation, target, calls, retired}
  #turn = new Map(); // by instance id: the end of the last configuration begun
  #closing = new Set();

  /** configure makes the generation current; callers of one instance take turns. */
  configure({instanceId = '', generation = '0'} = {}, open) {
    if (instanceId === '') throw new Failure('invalid', 'an instance needs an id');
    const mine = (this.#turn.get(instanceId) ?? Promise.resolve()).then(async () => {
      const wanted = BigInt(generation), have = this.#current.get(instanceId);
      if (have?.generation === wanted) return;
      if (have?.generation > wanted) {
        throw new Failure('transient', `generation ${have.generation} is configured, ${wanted} is older`, {effect: 'none'});
      }
      const target = await open();
      this.#retire(this.#current.get(instanceId));
      this.#current.set(instanceId, {generation: wanted, target, calls: 0, retired: false});
    });
    this.#turn.set(instanceId, mine.catch(() => {}));
    return mine;
  }

  /** release forgets the instance unless a newer generation has replaced it. */
  release({instanceId = '', generation = '0'} = {}) {
    const have = this.#current.get(instanceId);
    if (!have || have.generation > BigInt(generation)) return;
    this.#current.delete(instanceId);
    this.#retire(have);
  }

  /** use runs one verb on exactly this generation. */
  async use({instanceId = '', generation = '0'} = {}, verb) {
    const instance = this.#current.get(instanceId);
    if (instance?.generation !== BigInt(generation)) throw new NotConfigured();
    instance.calls++;
    try {
      return await verb(instance.target);
    } finally {
      instance.calls--;
      if (instance.retired && instance.calls === 0) this.#close(instance);
    }
  }

  /** closeAll retires every instance and waits until all are closed. */
  async closeAll() {
    for (const instance of this.#current.values()) this.#retire(instance);
    this.#current.clear();
    await Promise.all(this.#closing);
  }

  #retire(instance) {
    if (!instance) return;
    instance.retired = true;
    if (instance.calls === 0) this.#close(instance);
  }

  #close({target}) {
    if (typeof target.close !== 'function') return;
    const closed = Promise.resolve().then(() => target.close())
      .catch((error) => log('error', 'close target', {error: String(error)}))
      .finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
