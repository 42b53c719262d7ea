// A stand-in for Acme: users over REST, in memory.
import {randomUUID} from 'node:crypto';
import {createServer} from 'node:http';

/** fakeTarget returns an HTTP server that takes the token. */
export function fakeTarget(token) {
  const users = new Map(), made = new Map(); // by id; ids by idempotency key
  const routes = {
    'GET /users': ({query}) => ({users: [...users.values()].filter((u) => [...query].every(([k, v]) => same(u[k], v)))}),
    'POST /users': ({body, key}) => {
      if (made.has(key)) return users.get(made.get(key));
      if (!body.login) throw 422;
      if ([...users.values()].some((u) => same(u.login, body.login))) throw 409;
      const user = {...body, id: randomUUID()};
      users.set(user.id, user);
      if (key) made.set(key, user.id);
      return user;
    },
    'GET /users/:id': ({id}) => find(id),
    'PATCH /users/:id': ({id, body}) => Object.assign(find(id), body),
    'DELETE /users/:id': ({id}) => { find(id); users.delete(id); },
  };
  const find = (id) => { if (!users.has(id)) throw 404; return users.get(id); };
  return createServer(async (req, res) => {
    let status = 200, answer;
    try {
      const {pathname, searchParams: query} = new URL(req.url, 'http://fake');
      const [, , id] = pathname.split('/');
      if (req.headers.authorization !== `Bearer ${token}`) throw 401;
      const route = routes[`${req.method} ${id ? '/users/:id' : pathname}`];
      if (!route) throw 404;
      answer = route({query, id, body: await json(req), key: req.headers['idempotency-key']});
    } catch (error) {
      status = typeof error === 'number' ? error : 400;
    }
    res.writeHead(status, {'content-type': 'application/json'}).end(answer && JSON.stringify(answer));
  });
}

const same = (a, b) => a?.toLowerCase() === b.toLowerCase();

async function json(req) {
  const text = (await req.toArray()).join('');
  return text ? JSON.parse(text) : {};
}
