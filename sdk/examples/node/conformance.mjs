// Runs what every connector must do on the one that was built, against the fake.
// It needs the anteroom command. Arguments are passed on to it: --run 'create/*'.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fakeTarget} from './fake/target.mjs';

const token = 'a-token-for-tests';
const server = fakeTarget(token);
await once(server.listen(0, '127.0.0.1'), 'listening');
const dir = mkdtempSync(join(tmpdir(), 'conformance-'));
const config = join(dir, 'config.json');
writeFileSync(config, JSON.stringify({base_url: `http://127.0.0.1:${server.address().port}`, token}));

const args = ['connector', 'test', 'dist/anteroom-connector-acme', '--config', config, '--target-url-field', 'base_url'];
const kit = spawn('anteroom', [...args, ...process.argv.slice(2)], {stdio: 'inherit'});
kit.on('error', (error) => console.error(`cannot run anteroom: ${error.message}`));
kit.on('close', (code) => {
  rmSync(dir, {recursive: true});
  server.close();
  process.exitCode = code;
});
