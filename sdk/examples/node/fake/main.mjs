// node fake/main.mjs [PORT]: the stand-in for Acme, with the token "fake-token".
import {fakeTarget} from './target.mjs';

const server = fakeTarget('fake-token');
server.listen(Number(process.argv[2] ?? 9911), '127.0.0.1', () => {
  console.log(`fake Acme on http://127.0.0.1:${server.address().port}`);
});
