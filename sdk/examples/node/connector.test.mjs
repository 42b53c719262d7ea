import assert from 'node:assert/strict';
import {once} from 'node:events';
import {after, before, test} from 'node:test';
import connector from './connector.mjs';
import {fakeTarget} from './fake/target.mjs';

const server = fakeTarget('the-token');
let target;

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  target = connector.open({base_url: `http://127.0.0.1:${server.address().port}`}, {token: 'the-token'});
});
after(() => server.close());

const create = (login, attributes) => target.create({operation: {id: `create ${login}`}, attributes: {login, ...attributes}, active: true});

test('an account that was created is found by each of its keys', async () => {
  const made = await create('ada', {external_id: 'u-1', email: 'ada@example.com'});
  const {external_id, login, email, name} = made.attributes;
  assert.deepEqual({external_id, login, email, name}, {external_id: 'u-1', login: 'ada', email: 'ada@example.com', name: null});
  assert.equal(made.active, true);
  for (const [key, value] of [['external_id', 'u-1'], ['login', 'ada']]) {
    assert.deepEqual(await target.lookup({key, value}), [made]);
  }
  assert.deepEqual(await target.lookup({key: 'login', value: 'nobody'}), []);
});

test('a name that is taken is a conflict', async () => {
  await create('bob');
  await assert.rejects(target.create({operation: {id: 'another'}, attributes: {login: 'bob'}, active: true}), {kind: 'conflict', effect: 'none'});
});

test('an update changes what is named and nothing else', async () => {
  const {id} = await create('eve', {email: 'eve@example.com', name: 'Eve'});
  const {attributes: {login, email, name}} = await target.update({id, set: {name: 'Eva'}, clear: ['email']});
  assert.deepEqual({login, email, name}, {login: 'eve', email: null, name: 'Eva'});
  await assert.rejects(target.update({id: 'nobody', set: {}, clear: []}), {kind: 'not_found', effect: 'none'});
});

test('a suspended account comes back, a deleted one is gone', async () => {
  const {id} = await create('dan');
  assert.equal((await target.setActive({id, active: false})).active, false);
  assert.equal((await target.setActive({id, active: true})).active, true);
  await target.delete({id});
  await target.delete({id});
  await assert.rejects(target.get({id}), {kind: 'not_found'});
});

test('a wrong configuration is refused by the field', () => {
  assert.deepEqual(connector.validate({base_url: 'nowhere'}, {token: 't'}), [{field: 'base_url', message: 'must be an http or https address'}]);
  assert.deepEqual(connector.validate({}, {}).map((p) => p.field), ['base_url', 'token']);
});

test('refused credentials are said to be that', async () => {
  const stranger = connector.open({base_url: `http://127.0.0.1:${server.address().port}`}, {token: 'wrong'});
  await assert.rejects(stranger.lookup({key: 'login', value: 'ada'}), {kind: 'unauthorized'});
  assert.equal((await stranger.check({}))[0].status, 'failed');
});
