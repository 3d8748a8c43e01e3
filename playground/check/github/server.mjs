// Starts the local GitHub for one test file.
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';

export async function start() {
  const child = spawn(process.env.GITHUB_SERVER, [], {stdio: ['pipe', 'pipe', 'inherit']});
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const next = async () => {
    const {value, done} = await lines.next();
    if (done) throw new Error('the server ended');
    return value;
  };
  const hello = JSON.parse(await next());
  return {
    ...hello,
    async push(branch, path, content) {
      child.stdin.write(`${branch} ${path} ${content}\n`);
      return next();
    },
    stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      return ended;
    },
  };
}
