// node fake/main.mjs [HOST:PORT]: the stand-in for Acme, with the token "fake-token".
import {fakeTarget} from './target.mjs';

const [host, port] = (process.argv[2] ?? process.env.ADDRESS ?? '127.0.0.1:9911').split(':');
const server = fakeTarget('fake-token');
server.listen(Number(port), host, () => console.log(`fake Acme on http://${host}:${port}`));
