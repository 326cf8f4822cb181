// The protocol of the driver: a JSON command on each line of stdin, an answer or an event on each line of stdout.
//
//   → {"id": 1, "account": 1, "command": "send", "arguments": {…}}
//   ← {"id": 1, "answer": …}   or   {"id": 1, "error": "why not"}
//   ← {"event": "message", "account": 1, …}
//
// Commands run side by side. The end of stdin ends the program. What libraries print goes to stderr.

import { createInterface } from "node:readline";

for (const level of ["log", "info", "debug", "trace", "warn", "error"]) {
    console[level] = (...said) => process.stderr.write(`${level}: ${said.map(String).join(" ")}\n`);
}
process.on("unhandledRejection", (error) => console.error("nobody waited for this failure:", error?.stack ?? error));

const { Account } = await import("./account.mjs");

const accounts = new Map();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function obey({ account, command, arguments: wanted }) {
    if (command === "log_in") {
        const number = accounts.size + 1;
        const tell = (event, what) => say({ event, account: number, ...what });
        const opened = new Account(tell);
        accounts.set(number, opened);
        return { account: number, ...(await opened.log_in(wanted)) };
    }
    return await accounts.get(account)[command](wanted);
}

for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    obey(asked).then(
        (answer) => say({ id: asked.id, answer: answer ?? null }),
        (error) => {
            console.error(asked.command, error?.stack ?? error);
            say({ id: asked.id, error: String(error?.message ?? error) });
        },
    );
}
for (const account of accounts.values()) account.stop();
process.exit(0);
