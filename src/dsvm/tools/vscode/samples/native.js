// What of the editor is native does its work: a terminal, a database, a log, search, a watched folder.
const assert = require("node:assert");
const { createRequire } = require("node:module");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const [editor, program] = process.argv.slice(2);
const need = createRequire(path.join(editor, "lib/vscode/package.json"));

const terminal = (line) =>
  new Promise((resolve) => {
    let said = "";
    const shell = need("node-pty").spawn("/bin/bash", ["-c", line], { cols: 200 });
    shell.onData((text) => (said += text));
    shell.onExit(() => resolve(said.trim()));
  });

const row = (sql) =>
  new Promise((resolve, reject) => {
    const { Database } = need("@vscode/sqlite3");
    const base = new Database(":memory:");
    base.get(sql, (fault, found) => (fault ? reject(fault) : resolve(found)));
  });

const watched = async (folder) => {
  const seen = Promise.withResolvers();
  const watch = await need("@parcel/watcher").subscribe(folder, (fault, events) =>
    fault ? seen.reject(fault) : seen.resolve(events[0]),
  );
  fs.writeFileSync(path.join(folder, "new.txt"), "new");
  const event = await seen.promise;
  await watch.unsubscribe();
  return [event.type, path.basename(event.path)];
};

const log = async () => {
  const logger = await need("@vscode/spdlog").createRotatingLogger("log", "editor.log", 4096, 1);
  logger.info("42 lines");
  logger.flush();
  return fs.readFileSync("editor.log", "utf8");
};

(async () => {
  assert.equal(await terminal(`tty > /dev/null && ${program} -c 'print(6 * 7)'`), "42");
  assert.deepEqual(await row("SELECT sum(value) AS n FROM json_each('[1, 20, 21]')"), { n: 42 });
  fs.mkdirSync("folder");
  assert.deepEqual(await watched(fs.realpathSync("folder")), ["create", "new.txt"]);
  assert.match(await log(), /42 lines/);
  const search = execFileSync(need("@vscode/ripgrep-universal").rgPath, ["--count", "e", "folder/new.txt"]);
  assert.equal(search.toString().trim(), "1");
  assert.equal(typeof need("kerberos").initializeClient, "function");
  assert.equal(typeof need("@vscode/native-watchdog").start, "function");
  const argon2 = createRequire(path.join(editor, "package.json"))("argon2");
  assert(await argon2.verify(await argon2.hash("secret"), "secret"));
  console.log("native: 8");
  process.exit(0);
})().catch((fault) => {
  console.error(fault.message);
  process.exit(1);
});
